"""Write the renderings down as they are now."""

from tests.dsl.renderings import WIDTHS, golden, rendered

for width in WIDTHS:
    golden(width).write_text(rendered(width), encoding="utf-8")
