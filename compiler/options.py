"""Schema of every `{ key = value }` block: one `Block` for each (noun, kind), one `Option` row for each key.

In the intermediate representation a value is a number, a boolean or a word as a string; `none` and `fresh` become
None. A `seed` of None is derived from the root seed by the job's name.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["int", "real", "bool", "word", "net", "expr", "choice"]


@dataclass(frozen=True)
class Option:
    """One key. `words` are the names accepted besides (or, for kind `word`, instead of) a number, with their values.

    Bounds are inclusive unless `open`. `swept` options take a sweep. Options that are not `keyed` change how fast a
    result comes, never the result. The words of a `quoted` option stand in quotes, but for `none`. An `expr` is any
    expression, or None.
    A `choice` names a block of its own, of (its name, kind): `mala`, or with options, `mala { steps = 50 }`.
    """

    name: str
    kind: Kind
    default: Any
    doc: str
    lower: float | None = None
    upper: float | None = None
    open: bool = False
    words: dict[str, Any] = field(default_factory=dict)
    swept: bool = False
    keyed: bool = True
    quoted: bool = False

    @property
    def spelled(self) -> dict[str, Any]:
        """Its words as a model writes them, with their values."""
        return {f'"{w}"' if self.quoted and value is not None else w: value for w, value in self.words.items()}


@dataclass(frozen=True)
class Block:
    """What one kind of a noun takes. `arguments` says what a metric or method is called with, for people; `ordered` are
    pairs of options of which the first must be below the second."""

    options: tuple[Option, ...]
    doc: str
    arguments: str = ""
    reference: bool = False
    ordered: tuple[tuple[str, str], ...] = ()

    def option(self, name: str) -> Option:
        return next(option for option in self.options if option.name == name)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(option.name for option in self.options)


NONE = {"none": None}


def _words(*names: str) -> dict[str, Any]:
    return {name: name for name in names}


SEED = Option("seed", "int", None, "seed; none: derived from the run's seed and this name", lower=0, words=NONE)
DRAWS = Option("draws", "int", 4_000, "number of draws", lower=1)
_COMPOSITIONS = ("gauss", "jac", "fnpse", "sum")
COMPOSE = Option("compose", "choice", "gauss", "how scores of several factors combine", words=_words(*_COMPOSITIONS))
CORRECT = Option("correct", "choice", None, "what removes the bias of powers, many rows, or a network", words=NONE)
ROUTE = Option(
    "route",
    "word",
    "auto",
    "guided: the likelihood's density guides a network of the prior; auto: so if the prior is learned",
    words=_words("auto", "guided", "amortised"),
)
COVARIANCE = Option(
    "covariance",
    "word",
    "auto",
    "of rows, by a network (moments) or draws of their scores (sampled: slow, noisy); of the prior given noise, when "
    "guided (jacobian, isotropic); auto: moments or jacobian",
    words=_words("auto", "moments", "sampled", "jacobian", "isotropic"),
)
LOG_DENSITY = Option(
    "log_density",
    "word",
    None,
    "`lp` of every draw by the flow of its denoiser; hutchinson: an estimate, for many params",
    words=_words("exact", "hutchinson") | NONE,
)

REQUIRED = "required"  # the default of an `expr` that has none
OUTPUT = Option("output", "expr", None, "what is kept of the state, by the state and `t`; none: all", words=NONE)
SAVEAT = Option("saveat", "expr", REQUIRED, "times of the rows of the result, increasing; one number: no time axis")
T0 = Option("t0", "real", 0.0, "time of the initial state")

COMPARED = Option(
    "draws", "int", None, "draws of each sample that are compared; none: all of the smaller", lower=10, words=NONE
)
_SIMULATED = Option("simulations", "int", 1_000, "params and data that are simulated", lower=20)
_DRAWN_EACH = Option("draws", "int", 50, "draws given the data of each", lower=10)
PARAMS = Option("params", "expr", None, "a list of params to look at; none: all of the posterior", words=NONE)


def _score_sampler(doc: str, *own: Option, ordered: tuple[tuple[str, str], ...] = ()) -> Block:
    """A sampler of scores: what all of them take, around its own options."""
    return Block(
        (DRAWS, ROUTE, COMPOSE, COVARIANCE, *own, CORRECT, LOG_DENSITY, SEED),
        doc,
        "a posterior and its fits",
        ordered=ordered,
    )


_CORRECTIONS = (
    Option("corrections", "int", 5, "Langevin steps at a level", lower=1, swept=True),
    Option("delta", "real", 0.1, "their size, in units of the noise's variance", lower=0.0, open=True, swept=True),
)

_CHAINS = (
    Option("chains", "int", 4, "chains", lower=1),
    Option("warmup", "int", 1_000, "adaptation steps of a chain, not kept", lower=1),
    Option("draws", "int", 1_000, "kept draws of one chain", lower=1),
    Option("target_accept", "real", 0.8, "acceptance probability that adaptation aims at", 0.0, 1.0, open=True),
)
_START = (
    Option("dense_mass", "bool", False, "adapt a full mass matrix"),
    Option("init", "word", "uniform", "where chains start", words=_words("uniform", "median", "prior")),
    Option(
        "centred",
        "bool",
        False,
        "hierarchical params move as declared, not as `(x - loc) / scale`: better where data say much of each",
    ),
)

_WIDTH = Option("width", "int", 256, "units of a hidden layer", lower=1)
_ACTIVATION = Option("activation", "word", "silu", "nonlinearity", words=_words("silu", "gelu", "relu", "tanh"))

_BLOCKS = Option("depth", "int", 2, "residual blocks of two convolutions at a level", lower=1)
_COMPUTE = Option(
    "compute", "word", "float32", "precision of activations, not of weights", words=_words("float32", "bfloat16")
)

_COORDINATES = Option(
    "coordinates",
    "word",
    "auto",
    "working coordinates of the params; auto: rosenblatt, and unconstrained for a learned prior",
    words=_words("auto", "rosenblatt", "unconstrained"),
)
_TRAINING = (
    Option(
        "network",
        "net",
        None,
        "a `net`, or `mlp { ... }` in place; none: the prior's, else set where a row's elements are alike, else resmlp",
        words=NONE,
    ),
    Option(
        "simulations",
        "int",
        None,
        "fresh: new ones at every step; or the size of a stored table",
        lower=2,
        words={"fresh": None},
    ),
    Option(
        "steps",
        "int",
        "auto",
        "training steps; auto: 8 000, fewer on a table of simulations: 250 passes, 500 steps at least",
        lower=1,
        words=_words("auto"),
    ),
    Option("batch", "int", 512, "simulations in one training step", lower=1),
    Option("learning_rate", "real", 1e-3, "peak learning rate", lower=0.0, open=True),
    Option("ema", "real", 0.999, "decay of the weights' running average", lower=0.0, upper=1.0),
    Option("holdout", "real", 0.1, "fraction of a table kept for the held-out loss", lower=0.0, upper=0.5),
    Option(
        "patience",
        "int",
        "auto",
        "steps on a table without a better held-out loss before training stops; auto: a quarter of automatic steps, "
        "else 4 000",
        lower=1,
        words=_words("auto") | NONE,
    ),
    Option("weight_decay", "real", 0.0, "decoupled weight decay", lower=0.0),
    Option(
        "null_probability",
        "real",
        0.2,
        "how often the condition is hidden, to learn the prior",
        lower=0.0,
        upper=1.0,
    ),
    _COORDINATES,
    Option(
        "missing",
        "word",
        "auto",
        "random: hide entries of simulated rows, to learn from rows with holes; auto: if a set has `missing`",
        words=_words("auto", "random") | NONE,
    ),
    SEED,
)

_ROWS = Option(
    "rows",
    "int",
    1,
    "rows of a simulation, of which a network of sets sees any number: for `compose = partial`",
    lower=1,
    upper=64,
)

_OF_STEPS = ("steps", "batch", "learning_rate", "ema", "weight_decay")

BLOCKS: dict[tuple[str, str], Block] = {
    ("net", "mlp"): Block(
        (_WIDTH, Option("depth", "int", 3, "number of hidden layers", lower=1), _ACTIVATION), "fully connected layers"
    ),
    ("net", "resmlp"): Block(
        (_WIDTH, Option("depth", "int", 2, "number of residual blocks of two layers", lower=1), _ACTIVATION),
        "fully connected layers with residual connections",
    ),
    ("net", "set"): Block(
        (
            _WIDTH,
            Option("depth", "int", 2, "number of residual blocks of two layers", lower=1),
            _ACTIVATION,
            Option("embed", "int", 64, "units of the embedding of an element", lower=1),
            Option(
                "labels", "bool", False, "learn a label for every element: they are alike, but cannot change places"
            ),
        ),
        "a resmlp that sees the elements of a row as a set, whatever their order",
    ),
    ("net", "unet"): Block(
        (
            Option("width", "int", 64, "channels at full resolution, a multiple of 8; twice as many a level", lower=8),
            Option("levels", "int", 2, "resolutions, each half of the one before", lower=1, upper=8),
            _BLOCKS,
            Option(
                "fourier",
                "int",
                "auto",
                "frequencies of sines and cosines of the input, of which the finest has the spacing of two `levels` of "
                "the data for its period; auto: 2 with such levels, else 0",
                lower=0,
                upper=16,
                words=_words("auto"),
            ),
            _COMPUTE,
        ),
        "convolutions from fine to coarse and back, with attention at the coarsest: for a param that is an image",
    ),
    ("net", "dit"): Block(
        (
            Option("width", "int", 128, "units of a token, a multiple of 4 and of `heads`", lower=4),
            Option("depth", "int", 4, "transformer blocks", lower=1),
            Option("heads", "int", 4, "heads of attention", lower=1),
            Option("patch", "int", 2, "pixels along a side of a token", lower=1),
            _COMPUTE,
        ),
        "a transformer of patches: for a param that is an image",
    ),
    ("train", "score"): Block(
        (*_TRAINING, _ROWS), "denoising score matching: one network for prior and posterior", "a prior and a likelihood"
    ),
    ("train", "exact"): Block(
        (
            Option(
                "simulations",
                "int",
                "auto",
                "size of the table; auto: 50 000, or the pairs of a file",
                lower=100,
                words=_words("auto"),
            ),
            Option(
                "bandwidth",
                "real",
                "auto",
                "of params, in sds of the regression's residuals; auto: by leave-one-out likelihood, as that of rows",
                lower=1e-3,
                upper=1.0,
                words=_words("auto"),
            ),
            Option(
                "neighbours",
                "int",
                "auto",
                "simulations that a posterior is made of; auto: those that hold 99.9 % of its mass, 2 048 at most",
                lower=10,
                words=_words("auto"),
            ),
            Option(
                "adjust",
                "word",
                "regression",
                "regression: simulations move along the regression of params on rows; none: they stay",
                words=_words("regression") | NONE,
            ),
            _COORDINATES,
            SEED,
        ),
        "no training: the exact score of a mixture of simulations, each a kernel",
        "a prior and a likelihood",
    ),
    ("train", "distill"): Block(
        (
            Option(
                "method",
                "word",
                "regression",
                "regression: on draws of the teacher's flow, for one step; flow_map: of the flow itself, for a few",
                words=_words("regression", "flow_map"),
            ),
            Option("network", "net", None, "a `net`, or `mlp { ... }` in place; none: a narrow mlp", words=NONE),
            Option("pairs", "int", 16_384, "rows, each with noise, that the teacher is asked about", lower=100),
            Option("flow_steps", "int", 32, "steps of Heun, equal in the angle, of the teacher's flow", lower=4),
            *(option for option in _TRAINING if option.name in _OF_STEPS),
            SEED,
        ),
        "one network pass a draw: learns where a fit's flow takes noise",
        "a fit, and a posterior where powers and numbers of rows are learned too",
    ),
    ("train", "bsi"): Block(
        (
            Option(
                "process",
                "word",
                "belief",
                "whose bound: of beliefs (Bayesian Sample Inference), of a diffusion, or of a Bayesian flow network",
                words=_words("belief", "vdm", "bfn"),
            ),
            Option(
                "initial_precision",
                "real",
                "auto",
                "at which measurements begin; auto: 0.01, of a flow network 1",
                lower=0.0,
                open=True,
                words=_words("auto"),
            ),
            Option(
                "final_precision",
                "real",
                "auto",
                "at which data are decoded; auto: 1e6, of quantised data 61.5 over the square of a level's width",
                lower=0.0,
                open=True,
                words=_words("auto"),
            ),
            Option(
                "proposal",
                "word",
                "log_uniform",
                "how precisions are drawn; uniform is for comparison, and noisier",
                words=_words("log_uniform", "uniform"),
            ),
            *_TRAINING,
        ),
        "Bayesian Sample Inference: the bound on the likelihood, by infinitely many measurements",
        "a prior and a likelihood",
        ordered=(("initial_precision", "final_precision"),),
    ),
    ("sample", "flow_ode"): _score_sampler(
        "probability-flow ODE",
        Option("solver", "word", "tsit5", "Diffrax solver", words=_words("tsit5", "bosh3", "heun", "euler")),
        Option("steps", "int", None, "fixed steps; none: adaptive steps", lower=1, words=NONE, swept=True),
        Option("rtol", "real", 1e-3, "relative tolerance of adaptive steps", lower=0.0, open=True, swept=True),
        Option("atol", "real", 1e-4, "absolute tolerance of adaptive steps", lower=0.0, open=True, swept=True),
        Option("max_steps", "int", 4096, "adaptive steps after which the solve fails", lower=1),
    ),
    ("sample", "ddim"): _score_sampler(
        "DDIM",
        Option("steps", "int", 100, "steps", lower=1, swept=True),
        Option("eta", "real", 0.0, "noise: 0 is deterministic, 1 ancestral", lower=0.0, upper=1.0, swept=True),
    ),
    ("sample", "dpmpp"): _score_sampler("DPM-Solver++(2M)", Option("steps", "int", 30, "steps", lower=1, swept=True)),
    ("sample", "heun"): _score_sampler(
        "the second-order sampler of EDM",
        Option("steps", "int", 25, "steps of two evaluations", lower=1, swept=True),
        Option("churn", "real", 0.0, "noise added and removed again, over all steps", lower=0.0),
    ),
    ("sample", "reverse_sde"): _score_sampler(
        "reverse-time stochastic differential equation",
        Option("solver", "word", "shark", "Diffrax solver", words=_words("shark", "sra1", "sea", "euler")),
        Option("steps", "int", 100, "steps", lower=1, swept=True),
        Option("noise", "real", 1.0, "0 is the flow, 1 the reverse-time equation", lower=0.0, swept=True),
    ),
    ("sample", "one_step"): Block(
        (
            DRAWS,
            Option("steps", "int", 1, "passes of the network; more than 1 of a `flow_map`", 1, 16, swept=True),
            SEED,
        ),
        "a pass of a distilled network",
        "a posterior and a distilled fit",
    ),
    ("sample", "belief"): _score_sampler(
        "Bayesian Sample Inference: updates of a Gaussian belief",
        Option("steps", "int", 100, "updates of the belief", lower=2, swept=True),
        Option("gamma", "real", 1.0, "noise: 0 is deterministic, 1 the paper's", lower=0.0, swept=True),
        Option("initial_precision", "real", 1e-2, "of the belief without data", lower=0.0, open=True),
        Option("final_precision", "real", 1e6, "at which the last guess is the draw", lower=0.0, open=True),
        ordered=(("initial_precision", "final_precision"),),
    ),
    ("sample", "predictor_corrector"): _score_sampler(
        "a DDIM step, then Langevin steps, at every level",
        Option("steps", "int", 50, "predictor steps", lower=2, swept=True),
        Option("eta", "real", 0.0, "the predictor's noise, as of ddim", lower=0.0, upper=1.0, swept=True),
        *_CORRECTIONS,
    ),
    ("sample", "langevin"): _score_sampler(
        "annealed Langevin dynamics, a baseline: many levels and corrections are needed",
        Option("steps", "int", 100, "noise levels", lower=1, swept=True),
        *_CORRECTIONS,
    ),
    ("sample", "smc"): _score_sampler(
        "sequential Monte Carlo: weighted particles, guided, or on a composition of scores as `correct = smc`",
        Option("steps", "int", 200, "steps", lower=2, swept=True),
        Option("ess", "real", 0.5, "share of effective draws below which they are resampled", lower=0.0, upper=1.0),
    ),
    ("compose", "partial"): Block(
        (
            Option(
                "n_max",
                "int",
                "auto",
                "rows of a set at most; auto: as many as the fits take, or 4 of a fit that nobody declared",
                lower=2,
                upper=64,
                words=_words("auto"),
            ),
        ),
        "gauss over sets of rows, by a fit that has seen sets: fewer factors, each closer to a Gaussian",
    ),
    ("correct", "langevin"): Block(
        (
            Option("steps", "int", 5, "Langevin steps after each step of `ddim`", lower=1),
            Option("delta", "real", 0.2, "their size, in units of the noise's variance", lower=0.0, open=True),
        ),
        "steps on the composed score, `delta` smaller by the sum of the powers",
    ),
    ("correct", "smc"): Block(
        (
            Option("moves", "int", 10, "Langevin steps after each step of `ddim`", lower=0),
            Option("delta", "real", 0.5, "their size, in units of the noise's variance", lower=0.0, open=True),
            Option("ess", "real", 0.5, "share of effective draws below which they are resampled", lower=0.0, upper=1.0),
        ),
        "Feynman-Kac: draws are weighted particles on the sum of scores, whatever `compose`",
    ),
    ("correct", "mala"): Block(
        (
            Option("steps", "int", 100, "steps of every draw; half of them tune the proposals", lower=2),
            Option(
                "by",
                "word",
                "auto",
                "the exact density, or line integrals of scores; auto: the density, where every factor has one",
                words=_words("auto", "density", "scores"),
            ),
        ),
        "Metropolis-adjusted Langevin steps from the draws",
    ),
    ("correct", "psis"): Block(
        (Option("steps", "int", 20, "steps of `mala` that part what was resampled", lower=2),),
        "Pareto-smoothed importance weights of exact density to the flow's; `mala { steps = 100 }` where they fail",
    ),
    ("sample", "nuts"): Block(
        (*_CHAINS, Option("max_tree_depth", "int", 10, "doublings of a trajectory", lower=1, upper=20), *_START, SEED),
        "NumPyro's no-U-turn sampler",
        "a posterior",
        reference=True,
    ),
    ("sample", "hmc"): Block(
        (
            *_CHAINS,
            Option("trajectory_length", "real", 2 * math.pi, "step size times steps of a trajectory", 0.0, open=True),
            *_START,
            SEED,
        ),
        "NumPyro's Hamiltonian Monte Carlo with trajectories of one length",
        "a posterior",
        reference=True,
    ),
    ("sample", "exact_gaussian"): Block(
        (DRAWS, SEED),
        "independent draws from the closed form, for a linear-Gaussian model",
        "a posterior",
        reference=True,
    ),
    ("sample", "stored"): Block(
        (),
        "reference draws from a file: rows are draws, columns the params in the posterior's order",
        "a posterior and a file of draws",
        reference=True,
    ),
    ("observe", "observe"): Block(
        (
            Option(
                "missing",
                "real",
                None,
                "what stands for a missing entry: nan for empty fields, `NA`, `null` and NaN, or a number",
                words={"nan": "nan"} | NONE,
                quoted=True,
            ),
        ),
        "rows from a file or a list",
    ),
    ("prior", "learned"): Block(
        (
            Option(
                "levels",
                "int",
                None,
                "how many equal steps there are from the lower to the upper bound, on which all values lie; none: any",
                lower=2,
                upper=65_536,
                words=NONE,
            ),
            Option("network", "net", None, "the net of fits that name none; none: the default resmlp", words=NONE),
            Option("oracle", "expr", None, "density for references: a law, or the name of a prior", words=NONE),
        ),
        "a prior known by draws in a file",
        "a file of draws",
    ),
    ("simulator", "ode"): Block(
        (
            Option("init", "expr", REQUIRED, "state at `t0`"),
            Option("rhs", "expr", REQUIRED, "time derivative of the state, by the state and the time `t`"),
            SAVEAT,
            OUTPUT,
            T0,
            Option(
                "solver",
                "word",
                "tsit5",
                "Diffrax solver; kvaerno3 and kvaerno5 are for stiff equations",
                words=_words("tsit5", "dopri5", "dopri8", "bosh3", "heun", "kvaerno3", "kvaerno5"),
            ),
            Option("rtol", "real", 1e-5, "relative tolerance of adaptive steps", lower=0.0, open=True),
            Option("atol", "real", 1e-6, "absolute tolerance of adaptive steps", lower=0.0, open=True),
            Option("max_steps", "int", 4096, "steps after which the solve fails", lower=1),
        ),
        "ordinary differential equation",
        "the name of the state",
    ),
    ("simulator", "sde"): Block(
        (
            Option("init", "expr", REQUIRED, "state at `t0`"),
            Option("drift", "expr", REQUIRED, "drift, by the state and the time `t`"),
            Option(
                "diffusion",
                "expr",
                REQUIRED,
                "factor of the noise: of the state's shape, a noise for each entry; with one more axis, several",
            ),
            SAVEAT,
            OUTPUT,
            T0,
            Option(
                "solver",
                "word",
                "euler",
                "Itô: euler, milstein; Stratonovich: euler_heun, heun, stratonovich_milstein",
                words=_words("euler", "milstein", "euler_heun", "heun", "stratonovich_milstein"),
            ),
            Option(
                "dt",
                "real",
                "auto",
                "largest step; auto: a thousandth of the whole time",
                lower=0.0,
                open=True,
                words=_words("auto"),
            ),
        ),
        "stochastic differential equation",
        "the name of the state",
    ),
    ("simulator", "python"): Block(
        (
            Option("jax", "bool", False, "written in JAX: traced, and differentiated where that is asked for"),
            Option(
                "batch",
                "bool",
                "auto",
                "takes many rows in one call; auto: unless written in JAX",
                words=_words("auto"),
            ),
            Option("stochastic", "bool", True, "takes a random generator (in JAX a key) as its last argument"),
        ),
        "a function of a Python module, run with `--allow-python`",
        'a text `"module:function"`',
    ),
    ("observe", "simulate"): Block((SEED,), "rows drawn from the likelihood", "values of the params"),
    ("check", "c2st"): Block(
        (Option("folds", "int", 5, "folds of cross-validation", lower=2), COMPARED, PARAMS, SEED),
        "accuracy of a classifier between two samples: 0.5 when equal",
        "two samples of one posterior",
    ),
    ("check", "sliced_wasserstein"): Block(
        (Option("projections", "int", 128, "random directions", lower=1), PARAMS, SEED),
        "sliced Wasserstein distance in units of the second sample's sd",
        "two samples of one posterior",
    ),
    ("check", "mmd"): Block(
        (COMPARED, PARAMS, SEED),
        "squared maximum mean discrepancy, unbiased, Gaussian kernel: 0 when equal",
        "two samples of one posterior",
    ),
    ("check", "mean_error"): Block(
        (PARAMS,), "largest |difference of means| in sd of the second sample", "two samples of one posterior"
    ),
    ("check", "sd_error"): Block(
        (PARAMS,), "largest |ratio of sds - 1| against the second sample", "two samples of one posterior"
    ),
    ("check", "rhat"): Block((PARAMS,), "largest split R-hat", "one sample with chains"),
    ("check", "ess"): Block((PARAMS,), "smallest effective sample size", "one sample with chains"),
    ("check", "divergences"): Block((), "number of divergent transitions", "one sample with chains"),
    ("check", "sensitivity"): Block(
        (
            Option(
                "components", "expr", None, "priors, sets, or params whose own laws are scaled; none: all", words=NONE
            ),
            Option(
                "method",
                "word",
                "auto",
                "psis: by weights; resample: by new draws at other powers; auto: each where it can be",
                words=_words("auto", "psis", "resample"),
            ),
            Option("near", "real", 0.01, "weights at powers 1 - near and 1 + near tell the slope at 1", 0.0, 0.5, True),
            Option("powers", "expr", None, "further powers; none: `[0.5, 0.8, 1.25, 2]`", words=NONE),
            Option("threshold", "real", 0.05, "sensitivity from which on the diagnosis counts it", 0.0, open=True),
            PARAMS,
        ),
        "largest distance of a marginal per doubling of the prior's power; with `components`, of their powers",
        "one sample",
    ),
    ("check", "evidence"): Block(
        (), "log evidence, integrated along a sweep of the likelihoods' power from 0 to 1", "one sample"
    ),
    ("check", "lc2st"): Block(
        (
            Option("simulations", "int", 1_000, "params and data that a classifier learns from", lower=50),
            Option("permutations", "int", 100, "classifiers that tell what chance does", lower=19),
            SEED,
        ),
        "p-value of the draws at the observed data, by a local classifier test: small when they are wrong",
        "one sample by a trained score",
    ),
    ("check", "sbc"): Block(
        (_SIMULATED, _DRAWN_EACH, PARAMS, SEED),
        "p-value of the ranks of simulated params among draws given their data: small when draws are shifted, too wide "
        "or too narrow",
        "one sample by a trained score",
    ),
    ("check", "tarp"): Block(
        (_SIMULATED, _DRAWN_EACH, PARAMS, SEED),
        "p-value of the coverage of balls around points near to simulated params: small when draws are too wide, too "
        "narrow or ignore data",
        "one sample by a trained score",
    ),
    ("check", "bits_per_dim"): Block(
        (Option("steps", "int", None, "measurements; none: infinitely many", lower=1, words=NONE), SEED),
        "bits that a dimension of held-out rows costs at most, in declared coordinates",
        "a fit",
    ),
}

# Of the language but not of this version: using one says so instead of "unknown".
LATER: dict[str, frozenset[str]] = {
    "simulator": frozenset(),
    "net": frozenset({"transformer"}),
    "train": frozenset(),
    "sample": frozenset(),
    "check": frozenset({"psis"}),
    "option": frozenset(),
}


def kinds(noun: str) -> list[str]:
    """Kinds of a noun that this version has, e.g. the samplers."""
    return [kind for known, kind in BLOCKS if known == noun]
