"""Levels, and the policies that decide them."""

from app.vocabulary.codes import Code


class TierLevel(Code):
    """The default three tiers and the four of a composite policy."""

    MAIN = "main", "Main", "主要客户"
    ORDINARY = "ordinary", "Ordinary", "普通客户"
    SMALL = "small", "Small", "小客户"
    KEY = "key", "Key", "关键客户"
    IMPORTANT = "important", "Important", "重点客户"
    GENERAL = "general", "General", "一般客户"
    MAINTENANCE = "maintenance", "Maintenance", "维持客户"


class TierCause(Code):
    """Why a tier was assigned."""

    INITIAL = "initial", "New card", "新建客户卡"
    UPGRADE = "upgrade", "Upgraded by a purchase", "购买升级"
    REVERSAL = "reversal", "The purchase that earned it was taken back", "升级所依据的购买已退回"
    CARRIED = "carried", "Carried by other purchases", "由其他购买支撑"
    RECONCILED = "reconciled", "Found by the nightly run", "夜间核对"
    MERGED = "merged", "Cards were merged or taken apart", "合并或拆分客户卡"


class PolicyStatus(Code):
    """Life of a policy version."""

    DRAFT = "draft", "Draft", "草稿"
    ACTIVE = "active", "Active", "生效"
    RETIRED = "retired", "Retired", "停用"


class PolicyMethod(Code):
    """How a tier policy decides."""

    THRESHOLD = "threshold", "Threshold", "门槛"
