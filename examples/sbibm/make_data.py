"""Observations and reference draws of sbibm 1.1.0, as they ship with it, in one file a task: `python make_data.py DIR`.

DIR holds one npz a task with `observation` (5, p) and `reference_posterior` (5, 10 000, m). Single precision, as the
draws were published; rows take the shapes that the models give them. The closed form stands in for the draws of
`gaussian_linear`.
"""

import sys
from pathlib import Path

import numpy as np

SHAPES = {
    "gaussian_linear": (10,),
    "gaussian_linear_uniform": (10,),
    "gaussian_mixture": (2,),
    "slcp": (4, 2),
    "bernoulli_glm": (10,),
    "lotka_volterra": (2, 10),  # prey, then predators
    "sir": (10,),
}
CLOSED = {"gaussian_linear"}


def main(source: Path) -> None:
    target = Path(__file__).parent
    for task, shape in SHAPES.items():
        given = np.load(source / f"{task}.npz", allow_pickle=False)
        kept = {"observation": given["observation"].reshape(-1, *shape).astype(np.float32)}
        if task not in CLOSED:
            kept["reference_posterior"] = given["reference_posterior"].astype(np.float32)
        if task == "bernoulli_glm":
            kept["answers"] = given["observation_raw"].astype(np.int8)
            kept["design"] = np.load(source / "bernoulli_glm_design_matrix.npz")["data"].astype(np.float32)
        np.savez_compressed(target / f"{task}.npz", **kept)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
