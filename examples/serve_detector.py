"""
How to serve a detector with its explanations?
==============================================

Copy this script. It answers requests over HTTP with `FastAPI <https://fastapi.tiangolo.com>`_.
Fit a detector on a pandas DataFrame and save it with ``skae.save(detector, "detector.skae")``,
then start the service, and send it rows as JSON::

    pip install fastapi uvicorn
    MODEL=detector.skae uvicorn serve_detector:app
    curl localhost:8000/report --json '[{"amount": 12.5, "kind": "refund", "at": "2026-01-31"}]'

The answer is `~skae.OutlierDetector.report` for the rows: the score and p-value of each, whether
it is an outlier, and the cells that say so with the values that were expected.
"""

import os
from typing import Annotated

import pandas as pd
from fastapi import Body, FastAPI, HTTPException, Response

import skae

detector = skae.load(os.environ.get("MODEL", "detector.skae"), device="cpu")
# JSON has no dates: text becomes what it was at fit.
dates = detector.background_.select_dtypes(["datetime", "datetimetz", "timedelta"]).dtypes.to_dict()

app = FastAPI(title="Outliers and what is wrong with them")
Rows = Annotated[list[dict[str, bool | float | str | None]], Body(min_length=1, max_length=1000)]


@app.post("/report")
def report(rows: Rows, n_columns: int = 3):
    try:
        X = pd.DataFrame(rows).astype(dates)
        result = detector.report(X, n_rows=len(X), n_columns=n_columns)
    except (ValueError, TypeError, KeyError) as error:
        raise HTTPException(422, str(error)) from error
    return Response(
        result.to_json(orient="records", date_format="iso"), media_type="application/json"
    )
