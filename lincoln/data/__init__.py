"""Data: datasets, shuffled batches, splits, standardizing, and generated examples."""

from lincoln.data.data import (
    Batch,
    DataLoader,
    Dataset,
    generate_batches,
    linearly_separable,
    make_classification,
    make_regression,
    random_split,
    standardize,
    train_test_split,
)

__all__ = [
    "Batch",
    "DataLoader",
    "Dataset",
    "generate_batches",
    "linearly_separable",
    "make_classification",
    "make_regression",
    "random_split",
    "standardize",
    "train_test_split",
]
