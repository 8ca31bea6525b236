"""scikit-learn's multilayer perceptrons, `MLPClassifier` and `MLPRegressor`, on layers with hand-written gradients."""

from __future__ import annotations

from typing import Any, ClassVar

from sklearn.utils._param_validation import StrOptions

from lincoln.estimators.classifier import ClassifierMethods
from lincoln.estimators.perceptron import Perceptron
from lincoln.estimators.regressor import RegressorMethods
from lincoln.estimators.settings import CLASS_CONSTRAINTS


class MLPClassifier(ClassifierMethods, Perceptron):
    """scikit-learn's `MLPClassifier`, with all its parameters and attributes, on the layers and the trainer of lincoln.

    Minimises the log loss of a sigmoid (two classes, or several labels an example) or softmax output over batches B:
    sum_B w_k l_k / sum_B w_k + alpha / 2 |W|^2 / sum_B w_k, with w_k = 1 without weights. Equal `random_state` gives
    scikit-learn's initial weights, splits and shuffles, so its fit to rounding.

    As in scikit-learn:

    - `hidden_layer_sizes`: units of each hidden layer; their `activation`: "relu", "tanh", "logistic" or "identity".
    - `solver`: "adam" (with `beta_1`, `beta_2`, `epsilon`), "sgd" (with `momentum`, `nesterovs_momentum`), or "lbfgs", on
      all examples at once, for small data (with `max_fun` evaluations at most).
    - `alpha`: the L2 penalty above; biases are left alone.
    - `batch_size`: "auto" is 200, or all examples if they are fewer. `shuffle`: a new order each epoch.
    - `learning_rate_init`, and how `learning_rate` changes it ("sgd" only): "constant"; "invscaling", divided by
      t^power_t after t examples; "adaptive", divided by 5 whenever the fit would otherwise end.
    - `max_iter` epochs at most; fewer when the loss has not fallen by `tol` in more than `n_iter_no_change` of them.
      `early_stopping` watches the accuracy on a share of the data, `validation_fraction`, held out instead, and ends with
      the weights that had the best.
    - `random_state`: an integer repeats the fit. `warm_start`: `fit` continues the last one. `verbose`: a line an epoch.

    Not in scikit-learn:

    - `class_weight`: the weight of the examples of each class, a dict, or "balanced", n / (n_classes n_of_class).
    - `dropout`: the share of each hidden layer's units that is left out in each step (`lincoln.layers.Dropout`).
    - `validation_data`: (X, y) or (X, y, sample_weight), measured after each epoch (`validation_loss_curve_`,
      `validation_scores_`); with `early_stopping` they are watched, and no share of the data is held out.
    - `callbacks`: instances of `lincoln.Callback`, called at each step and epoch; they can stop the fit.
    - `gradient_clip`: a longer gradient is scaled down to this length.
    - `device`: "cuda", "mps", or "auto" for a GPU if there is one; None is the CPU.
    - `dtype`: float32 or float64; None is float32 if X is, else float64 (and float64 for "lbfgs").

    Fitted: `coefs_`, (n_in, n_out) for each layer, and `intercepts_`; on the CPU they are the network's own memory, and
    arrays assigned to them are copied in. `network_`, the network. `history_`, the last fit's, with `history_.plot()`.
    `loss_curve_`, `validation_loss_curve_` (without the penalty), `loss_`, `best_loss_`, `validation_scores_`,
    `best_validation_score_`, `n_iter_`, `t_`, `classes_`, `n_layers_`, `n_outputs_`, `out_activation_`,
    `n_features_in_`, `feature_names_in_`.

    Raises ValueError for parameters or data that cannot be used.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **Perceptron._parameter_constraints,
        **CLASS_CONSTRAINTS,
    }

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        class_weight: Any = None,
        dropout: float = 0.0,
        validation_data: Any = None,
        callbacks: Any = None,
        gradient_clip: float | None = None,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.class_weight = class_weight
        self.dropout = dropout
        self.validation_data = validation_data
        self.callbacks = callbacks
        self.gradient_clip = gradient_clip
        self.device = device
        self.dtype = dtype

    def _out_activation(self) -> str:
        return "softmax" if self._targets.encoding.exclusive else "logistic"


class MLPRegressor(RegressorMethods, Perceptron):
    """scikit-learn's `MLPRegressor`, with all its parameters and attributes, on the layers and the trainer of lincoln.

    `loss` is "squared_error", sum_o (p_o - y_o)^2 / 2 for each example, or "poisson", half the Poisson deviance of
    p = e^z from counts y >= 0. The other parameters are those of `MLPClassifier`, without class weights; `early_stopping`
    watches R^2. With several outputs `loss_curve_` reports the squared error's mean over them, as scikit-learn does,
    though the sum is minimised.

    Raises ValueError for parameters or data that cannot be used, and TypeError for targets that are not numbers.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **Perceptron._parameter_constraints,
        "loss": [StrOptions({"squared_error", "poisson"})],
    }

    def __init__(
        self,
        loss: str = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dropout: float = 0.0,
        validation_data: Any = None,
        callbacks: Any = None,
        gradient_clip: float | None = None,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        self.loss = loss
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.dropout = dropout
        self.validation_data = validation_data
        self.callbacks = callbacks
        self.gradient_clip = gradient_clip
        self.device = device
        self.dtype = dtype

    def _out_activation(self) -> str:
        return "exp" if self.loss == "poisson" else "identity"
