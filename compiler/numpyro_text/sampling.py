"""`main`: every reference that the model asks for, run by NumPyro with the model's options."""

from __future__ import annotations

from typing import Any

from bsi.compiler import fold
from bsi.compiler.ir import Posterior, Program, Sample, SweepRef
from bsi.compiler.numpyro_text.expressions import literal
from bsi.compiler.numpyro_text.names import python
from bsi.compiler.options import BLOCKS
from bsi.compiler.passes import derived_seed

KERNELS = {"nuts": "NUTS", "hmc": "HMC"}
# Options of a reference -> arguments of its kernel; an argument is written only where the model changes its default.
KERNEL_ARGUMENTS = {
    "target_accept": "target_accept_prob",
    "max_tree_depth": "max_tree_depth",
    "dense_mass": "dense_mass",
    "trajectory_length": "trajectory_length",
}
STARTS = {"median": "numpyro.infer.init_to_median", "prior": "numpyro.infer.init_to_sample"}


def main_lines(program: Program, posteriors: list[Posterior], names: dict[str, str]) -> list[str]:
    """The function `main`; a posterior that no reference samples gets one with default options."""
    references = [
        s for s in program.samples.values() if s.method in KERNELS and program.posteriors[s.posterior] in posteriors
    ]
    sampled = {reference.posterior for reference in references}
    defaults = tuple((option.name, option.default) for option in BLOCKS["sample", "nuts"].options)
    references += [
        Sample(p.name, "nuts", p.name, (), None, defaults, True) for p in posteriors if p.name not in sampled
    ]
    lines = [line for reference in references for line in _reference(program, reference, names)]
    return ["def main():", *(f"    {line}" for line in lines)]


def _reference(program: Program, sample: Sample, names: dict[str, str]) -> list[str]:
    options = dict(sample.options)
    powers = set[str]().union(*(fold.references(f.power) for f in program.posteriors[sample.posterior].factors))
    swept = {value.name for value in options.values() if isinstance(value, SweepRef)}
    sweeps = [name for name in program.sweeps if name in powers | swept]
    title = f"{sample.name}: {sample.method} on {sample.posterior}" if sample.name != sample.posterior else sample.name
    title += "".join(f", {name} = {{{python(name)}}}" for name in sweeps)
    default = {option.name: option.default for option in BLOCKS["sample", sample.method].options}
    kernel = [names[sample.posterior]]
    kernel += [
        f"{KERNEL_ARGUMENTS[k]}={_option(v)}" for k, v in options.items() if k in KERNEL_ARGUMENTS and v != default[k]
    ]
    kernel += [f"init_strategy={STARTS[options['init']]}"] if options["init"] in STARTS else []
    chains = [
        f"num_warmup={_option(options['warmup'])}",
        f"num_samples={_option(options['draws'])}",
        f"num_chains={_option(options['chains'])}",
        'chain_method="vectorized"',
    ]
    seed = options["seed"] if options["seed"] is not None else derived_seed(0, sample.name)
    arguments = "".join(f", {python(name)}={python(name)}" for name in sweeps if name in powers)
    lines = [
        f'print({"f" if sweeps else ""}"{title}")',
        f"mcmc = MCMC({KERNELS[sample.method]}({', '.join(kernel)}), {', '.join(chains)})",
        f"mcmc.run(jax.random.key({_option(seed)}){arguments})",
        "mcmc.print_summary(exclude_deterministic=False)",
    ]
    for name in reversed(sweeps):
        values = ", ".join(literal(value) for value in program.sweeps[name].values)
        lines = [f"for {python(name)} in [{values}]:", *(f"    {line}" for line in lines)]
    return lines


def _option(value: Any) -> str:
    return python(value.name) if isinstance(value, SweepRef) else literal(value)
