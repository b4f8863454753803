"""The pretrained encoder that everything is taught by: multilingual-e5-small, its vocabulary pruned to Chinese."""
