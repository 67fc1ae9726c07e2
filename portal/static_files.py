"""Static files under names that carry a hash of their contents."""

from servestatic.storage import CompressedManifestStaticFilesStorage


class ModuleStorage(CompressedManifestStaticFilesStorage):
    """
    JavaScript modules import one another by hashed names too: a page never mixes modules of two versions, and
    what the phone app keeps for offline use is whole. Modules must not import one another in a circle.
    """

    support_js_module_import_aggregation = True
