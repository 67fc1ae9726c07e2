"""The floor: a bare Django project with pages of the product's own HTML."""
