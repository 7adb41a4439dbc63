"""The napari panel: type what to find, correct the mask, retrain with one click.

One controller that knows neither Qt nor napari decides; panels emit and show; the
canvas draws. What they learn and store is all in ``src_core``.
"""
