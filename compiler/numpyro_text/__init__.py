"""A checked program as readable Python: the text of a NumPyro program that runs without this package."""

from bsi.compiler.numpyro_text.program import program_text
from bsi.compiler.numpyro_text.refusals import obstacles, refusals

__all__ = ["obstacles", "program_text", "refusals"]
