from portal.models import OutboxMessage
from portal.outbox import delivery
from tests.house import test_translations as t
def test_show(log_in):
    a=t.ChineseReader(log_in("requester")); t.read_the_wizard(a)
    t.read_what_waits_for_compliance(t.ChineseReader(log_in("requester")))
    for row in OutboxMessage.objects.select_related("user__entity"):
        row.language="zh-hans"; m=delivery.render(row); print('=====',row.event,row.user,'\n',m.subject,'\n',m.text)
