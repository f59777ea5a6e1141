"""Contains the files of the sample dataset (`sample/`) and of the default model (`default_model/`).

The module `sample` reads the sample dataset. `pipeline.models.model` loads the default model.
"""

__all__ = ["sample"]
