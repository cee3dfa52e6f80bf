"""Settings as typed data, and the documents and Kubernetes objects that follow from them."""
