"""The systems that the project started from, rebuilt and measured beside their documents' figures: docs/seeds.md."""
