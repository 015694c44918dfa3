"""What a corpus is: problems, splits, documents, DocBin."""
