"""The coder of pictures of nature: coarse to fine, with the densities of small exact networks."""
