"""thinc models around the torch layers: BERT, the CRF tagger, the text classifier."""
