"""Training of the language models: data, models, training, evaluation. The only importer of torch, with export."""
