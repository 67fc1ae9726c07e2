"""The audit vocabulary of this app: dotted and past. A refused attempt carries `refused` in its facts."""

DEVICE_PROVISIONED = "sls.device.provisioned"
GRANT_STARTED = "sls.grant.started"
DEVICE_REVOKED = "sls.device.revoked"
CARD_PRINTED = "sls.card.printed"

LOGIN_BEGUN = "sls.login.begun"
LOGIN_CHALLENGED = "sls.login.challenged"
LOGIN_COMPLETED = "sls.login.completed"
LOGGED_OUT = "sls.login.ended"
SESSION_ENDED = "sls.session.ended"

SHARE_STARTED = "sls.share.started"
SHARE_PROVEN = "sls.share.proven"
SHARE_SUBMITTED = "sls.share.submitted"
SHARE_APPROVED = "sls.share.approved"
SHARE_CANCELLED = "sls.share.cancelled"
SHARE_WITHDRAWN = "sls.share.withdrawn"
