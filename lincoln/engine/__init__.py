"""How a step is run: by the layers, or recorded and replayed."""
