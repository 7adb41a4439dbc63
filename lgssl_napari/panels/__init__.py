"""The parts of the panel: each emits what a person wants and shows a state."""
