"""Data: datasets, shuffled batches, splits, standardizing, and generated examples."""

from lincoln.data.dataset import Batch, Dataset
from lincoln.data.generated import linearly_separable, make_classification, make_regression
from lincoln.data.loader import DataLoader, generate_batches
from lincoln.data.scaling import standardize
from lincoln.data.splits import random_split, train_test_split

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
