"""One module for each subcommand; each has `run(where, options)`, which returns rows of the table."""
