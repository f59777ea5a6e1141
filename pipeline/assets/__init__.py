"""Files that ship with the package: the sample dataset (`sample/`) and the default model (`default_model/`).

The module `sample` reads the sample dataset. `pipeline.models.model` loads the default model like any other model.
"""

__all__ = ["sample"]
