"""
Peers: the same login made with packages that Django projects use for a second factor, each in an environment
of its own. What `people` imports runs there, without the product's packages; the rest runs here.
"""
