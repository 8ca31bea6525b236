"""Data, networks and readers of axes that the tests of plots share."""

import numpy as np
import torch

import lincoln as lnc
from lincoln.layers import Linear, Sequential

T = np.array([0, 0, 1, 1, 0, 1])
P = np.array([0.1, 0.4, 0.35, 0.8, 0.2, 0.9])
X = np.array([[0.0, 0.0], [1.0, 0.5], [2.0, 1.0], [3.0, 2.0], [0.5, 1.0], [2.5, 0.0]])
HISTORY = lnc.History(losses=[0.9, 0.5, 0.4, 0.3], val_losses=[0.8, 0.45, 0.6, float("nan")])
RECORD = {"0.linear.W": [(1.0, 0.5), (1.1, 0.25)], "1.linear.W": [(2.0, 0.1), (2.2, 0.0)]}


def lines(ax):
    return {line.get_label(): line for line in ax.lines}


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def network_of(weights, bias=0.0, *after):
    """z = x w + b, then the layers `after`."""
    network = Sequential(Linear(1), *after).to(dtype=torch.float64)
    network(torch.zeros(1, len(weights), dtype=torch.float64))
    network[0].W.copy_(torch.tensor(weights).view(-1, 1))
    network[0].B.fill_(bias)
    return network
