"""Bulk annotation: an archive of any size, in shards, whatever dies on the way.

`inputs` finds the files, `rows` reads them, `shards` cuts them, `annotator` runs the pipeline,
`results` writes what it says, and `run` keeps the folder of all this, for the engines to work on.
"""
