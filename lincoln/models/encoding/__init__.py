"""Labels as users write them, and the targets that losses take."""

from lincoln.models.encoding.base import Encoding
from lincoln.models.encoding.chosen import class_encoding
from lincoln.models.encoding.classes import Classes, ClassProbabilities
from lincoln.models.encoding.indicators import Indicators
from lincoln.models.encoding.labels import ClassNumbers, SortedLabels
from lincoln.models.encoding.numbers import Numbers

__all__ = [
    "ClassNumbers",
    "ClassProbabilities",
    "Classes",
    "Encoding",
    "Indicators",
    "Numbers",
    "SortedLabels",
    "class_encoding",
]
