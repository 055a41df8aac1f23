"""From intermediate representation to runtime objects and NumPyro models: the one bridge between language and JAX."""
