"""How the bundled models are made: settings for `nncodec train -c FILE`, and scripts for what it does not do."""
