"""How the chain and a customer are in contact, and what the customer agrees to."""

from app.vocabulary.codes import Code


class Channel(Code):
    """By which way the chain and a customer are in contact."""

    PHONE = "phone", "Phone", "电话"
    SMS = "sms", "SMS", "短信"
    EMAIL = "email", "E-mail", "电子邮箱"
    WECHAT = "wechat", "WeChat", "微信"
    SOCIAL = "social", "Social media", "社交媒体"
    ONLINE_SERVICE = "online_service", "Online service", "在线客服"
    IN_STORE = "in_store", "In store", "到店"
    VISIT = "visit", "Visit", "上门拜访"
    POST = "post", "Post", "邮寄"


class Direction(Code):
    """Who began a contact."""

    INBOUND = "inbound", "From the customer", "客户发起"
    OUTBOUND = "outbound", "To the customer", "我方发起"


class InteractionOutcome(Code):
    """What came of a contact."""

    REACHED = "reached", "Spoken with", "已沟通"
    RESOLVED = "resolved", "Settled", "已解决"
    FOLLOW_UP = "follow_up", "More is to be done", "需跟进"
    LEFT_MESSAGE = "left_message", "Message left", "已留言"
    NO_ANSWER = "no_answer", "Not reached", "未联系上"
    DECLINED = "declined", "Does not want it", "婉拒"
    WRONG_CONTACT = "wrong_contact", "Number or address is wrong", "联系方式有误"
    OTHER = "other", "Other", "其他"


class ConsentPurpose(Code):
    """What a customer lets the chain do."""

    SERVICE = "service", "Care after a purchase", "售后关怀"
    MARKETING = "marketing", "Promotions", "营销推广"
    GREETING = "greeting", "Greetings", "节日与生日问候"
    SURVEY = "survey", "Surveys", "满意度调查"
    PROFILING = "profiling", "Analysis of purchases", "消费分析"
    SHARING = "sharing", "Passing data to partners", "向合作方提供"


class ConsentChannel(Code):
    """By which way the chain may do it."""

    ANY = "any", "Whatever the way", "不限渠道"
    PHONE = "phone", "Phone", "电话"
    SMS = "sms", "SMS", "短信"
    EMAIL = "email", "E-mail", "电子邮箱"
    WECHAT = "wechat", "WeChat", "微信"
    POST = "post", "Post", "邮寄"


class ConsentState(Code):
    """Whether the customer agrees."""

    GRANTED = "granted", "Granted", "已同意"
    WITHDRAWN = "withdrawn", "Withdrawn", "已撤回"


class ConsentProof(Code):
    """How it is known what the customer wants."""

    FORM = "form", "Signed form", "书面签署"
    WEB = "web", "Web page", "网页勾选"
    MESSAGE = "message", "Message", "消息回复"
    SPOKEN = "spoken", "Spoken", "口头表示"
    IMPORT = "import", "Brought by an import", "导入"
    MERGE = "merge", "Result of a merge", "合并所得"


class ConsentReason(Code):
    """Why the chain may or may not act for a purpose by a channel."""

    CHANNEL_GRANTED = "channel_granted", "Agreed to for this channel", "客户已同意该渠道"
    CHANNEL_WITHDRAWN = "channel_withdrawn", "Withdrawn for this channel", "客户已撤回该渠道"
    PURPOSE_GRANTED = "purpose_granted", "Agreed to for every channel", "客户已同意全部渠道"
    PURPOSE_WITHDRAWN = "purpose_withdrawn", "Withdrawn for every channel", "客户已撤回全部渠道"
    NEEDS_NO_ASKING = "needs_no_asking", "Never asked, and needs no consent", "未询问，无需事先同意"
    NEVER_ASKED = "never_asked", "Never asked, and needs consent", "未询问，须先取得同意"


class ErasureStatus(Code):
    """What became of a request to erase a person's data."""

    DEFERRED = "deferred", "Deferred", "已延后"
    DONE = "done", "Done", "已删除"
    CANCELLED = "cancelled", "Cancelled", "已取消"


class DeferralReason(Code):
    """What still needs the data of a person who is to be erased."""

    RETURN_PERIOD = "return_period", "A purchase can still be returned", "仍在退货期内"
    MERGE_IN_DISPUTE = (
        "merge_in_dispute",
        "A merge of the card can still be undone",
        "合并尚可撤销",
    )
    IMPORT_OPEN = "import_open", "A file is being imported", "有文件正在导入"


class TimelineKind(Code):
    """What an entry of a card's timeline tells."""

    PURCHASE = "purchase", "Purchase", "购买"
    INTERACTION = "interaction", "Interaction", "互动"
    TIER_CHANGE = "tier_change", "Tier change", "层级变更"
    CONSENT = "consent", "Consent", "授权"
    MERGE = "merge", "Merge", "合并"
