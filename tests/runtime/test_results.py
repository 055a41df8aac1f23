"""Results as ArviZ expects them, through a NetCDF file and back."""

import arviz_base
import arviz_stats
import numpy as np
import pytest
import xarray as xr

from bsi.runtime.results import Variable, build, read, write


def tree(sweeps=None):
    rng = np.random.default_rng(0)
    grid = tuple(len(values) for values in (sweeps or {}).values())
    return build(
        {
            "posterior": {
                "theta": Variable(rng.normal(size=(*grid, 4, 250, 3)), ("school",)),
                "tau": Variable(rng.exponential(size=(*grid, 4, 250))),
                "corr": Variable(rng.normal(size=(*grid, 4, 250, 2, 2)), ("2", "2")),
            },
            "sample_stats": {"diverging": Variable(rng.random((*grid, 4, 250)) < 0.1)},
            "observed_data": {"obs": Variable(rng.normal(size=(5, 3)), ("5", "school"))},
            "constant_data": {"sigma": Variable(np.arange(3), ("school",))},
            "prior": {},
        },
        sweeps=sweeps,
        attributes={"seed": 3, "model": "m", "versions": {"jax": "1"}, "device": None, "smoke": True},
    )


def test_groups_dims_and_coordinates():
    made = tree()
    assert set(made.children) == {"posterior", "sample_stats", "observed_data", "constant_data"}
    posterior = made["posterior"]
    assert posterior["theta"].dims == ("chain", "draw", "school") and posterior["tau"].dims == ("chain", "draw")
    assert posterior["corr"].dims == ("chain", "draw", "corr_dim_0", "corr_dim_1")
    assert posterior["theta"].coords["school"].values.tolist() == [0, 1, 2]
    assert made["observed_data"]["obs"].dims == ("obs_dim_0", "school")
    assert made.attrs == {"seed": 3, "model": "m", "versions": '{"jax": "1"}', "smoke": "true"}


def test_sweeps_are_leading_dims():
    made = tree({"lam": (0.5, 1.0), "power": (1.0, 2.0, 4.0)})
    theta = made["posterior"]["theta"]
    assert theta.dims == ("lam", "power", "chain", "draw", "school")
    assert theta.sel(lam=0.5, power=4.0).shape == (4, 250, 3)
    assert "lam" not in made["observed_data"].dims


def test_file_round_trip_is_exact_and_atomic(tmp_path):
    path = tmp_path / "runs" / "ode.nc"
    write(tree(), path)
    loaded = read(path)
    xr.testing.assert_identical(loaded, tree())
    assert loaded["sample_stats"]["diverging"].dtype == bool
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write(xr.DataTree(xr.Dataset(attrs={"no netcdf": object()})), path)
    assert path.read_bytes() == before and [p.name for p in path.parent.iterdir()] == ["ode.nc"]


def test_arviz_takes_the_file(tmp_path):
    write(tree(), tmp_path / "ref.nc")
    loaded = read(tmp_path / "ref.nc")
    assert arviz_base.convert_to_datatree(loaded) is not None
    summary = arviz_stats.summary(loaded, var_names=["theta", "tau"])
    assert list(summary.index) == ["theta[0]", "theta[1]", "theta[2]", "tau"]
    means = loaded["posterior"]["theta"].mean(("chain", "draw")).values
    assert np.allclose(summary["mean"].astype(float).values[:3], means, atol=0.05)
    assert arviz_stats.rhat(loaded, var_names=["tau"])["tau"] < 1.05


def test_arviz_takes_amortised_draws_of_one_chain():
    made = build({"posterior": {"theta": Variable(np.random.default_rng(0).normal(size=(1, 400)))}})
    assert float(arviz_stats.ess(made)["theta"]) > 200


def test_users_dim_called_chain():
    made = build({"posterior": {"theta": Variable(np.zeros((1, 4, 2)), ("chain",))}})
    assert made["posterior"]["theta"].dims == ("chain", "draw", "chain_dim")


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"posteriors": {}}, "not a group"),
        ({"posterior": {"theta": Variable(np.zeros((4, 3)), ("school",))}}, "`theta` has 2 axes"),
    ],
)
def test_misfits_are_errors(groups, message):
    with pytest.raises(ValueError, match=message):
        build(groups)
