"""
How to let MLflow score or transform?
=====================================

Copy this script beside the one that logs the model. MLflow runs it to load the file that
``skae.save`` has written, without pickle. Its ``predict`` is the method of the model that
``model_config`` names::

    skae.save(pipeline, "model.skae")
    mlflow.pyfunc.log_model(
        name="codes",
        python_model="mlflow_model.py",
        artifacts={"model": "model.skae"},
        model_config={"method": "transform"},
        pip_requirements=["skae", "pandas"],
    )
"""

import mlflow
import pandas as pd

import skae


class Model(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        model = skae.load(context.artifacts["model"])
        self.method = getattr(model, context.model_config["method"])

    def predict(self, context, model_input: pd.DataFrame, params=None):
        return self.method(model_input)


mlflow.models.set_model(Model())
