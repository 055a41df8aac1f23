"""One module a kind of job: `compute(context, job, folder) -> meta` writes a store entry's files."""
