"""Levels, the policies that decide them, and what the figures say about a customer."""

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
    EVALUATION = "evaluation", "Lowered at an evaluation", "评定降级"
    POLICY = "policy", "Moved by a new policy", "新政策调整"
    REVIEWED = "reviewed", "Upgrade accepted after a review", "复核后升级"
    OVERRIDE = "override", "Set by hand", "人工指定"
    OVERRIDE_ENDED = "override_ended", "What was set by hand has ended", "人工指定到期"


class PolicyStatus(Code):
    """Life of a policy version."""

    DRAFT = "draft", "Draft", "草稿"
    SCHEDULED = "scheduled", "Approved, not yet in force", "已批准待生效"
    ACTIVE = "active", "Active", "生效"
    RETIRED = "retired", "Retired", "停用"


class PolicyMethod(Code):
    """How a tier policy decides."""

    THRESHOLD = "threshold", "Threshold", "门槛"
    SHARE = "share", "Top shares", "占比"
    COMPOSITE = "composite", "Weighted indicators", "综合评分"


class PolicyPreset(Code):
    """What a draft of a tier policy may begin as."""

    BOOKSHOP = "bookshop", "Bookshop: three tiers by net spend", "书店三级：按净消费"
    COMPOSITE = "composite", "Four tiers by weighted indicators", "四级：综合评分"
    TOP_FIFTH_OF_CUSTOMERS = (
        "top_fifth_of_customers",
        "20/80: the top fifth of customers",
        "二八法则：前 20% 的客户",
    )
    TOP_80_OF_VALUE = (
        "top_80_of_value",
        "20/80: those who make 80 % of the value",
        "二八法则：贡献 80% 价值的客户",
    )


class ShareOf(Code):
    """What the top shares of a policy are shares of."""

    CUSTOMERS = "customers", "Customers", "客户数"
    VALUE = "value", "Cumulated value", "累计价值"


class Indicator(Code):
    """A figure of a card within a policy's window that a policy may decide by."""

    NET_SPEND = "net_spend", "Net spend", "净消费"
    GROSS_SPEND = "gross_spend", "Gross spend", "消费总额"
    MARGIN = "margin", "Margin", "毛利"
    FREQUENCY = "frequency", "Days with a purchase", "购买天数"
    PURCHASES = "purchases", "Purchases", "购买次数"
    RECENCY = "recency", "Days since the last purchase", "距上次购买天数"
    GROWTH = "growth", "Growth", "增长"
    BREADTH = "breadth", "Categories bought", "购买品类数"
    INTERACTION = "interaction", "Contacts", "互动次数"
    RETURNS = "returns", "Share of refunds", "退货率"
    SERVICE_COST = "service_cost", "Cost to serve", "服务成本"
    COMPLAINTS = "complaints", "Complaints", "投诉次数"
    EXPECTED_MARGIN = "expected_margin", "Expected margin of the next year", "未来一年预期毛利"


class IndicatorAbsence(Code):
    """Why an indicator gave nothing to a score; its weight is shared among the others."""

    NO_SOURCE = "no_source", "No source yet", "尚无数据来源"
    NO_DATA = "no_data", "No data about this customer", "该客户无此数据"


class Unit(Code):
    """What a policy's score, and the distance to the next level, is counted in."""

    MONEY = "money", "Money", "金额"
    DAYS = "days", "Days with a purchase", "购买天数"
    TIMES = "times", "Times", "次数"
    POINTS = "points", "Points of 100", "百分制得分"


class NoticeStatus(Code):
    """What became of the notice that a level will be lost."""

    OPEN = "open", "Open", "待执行"
    FALLEN = "fallen", "Carried out", "已降级"
    LAPSED = "lapsed", "No longer called for", "已失效"


class ReviewStatus(Code):
    """What became of an upgrade that is held for review."""

    OPEN = "open", "Open", "待复核"
    ACCEPTED = "accepted", "Accepted", "已通过"
    REFUSED = "refused", "Refused", "已拒绝"
    LAPSED = "lapsed", "No longer called for", "已失效"


class RfmSegment(Code):
    """Exclusive, exhaustive segments of RFM scores."""

    PROSPECTS = "prospects", "Prospects", "潜在顾客"
    CHAMPIONS = "champions", "Champions", "冠军客户"
    LOYAL = "loyal", "Loyal", "忠诚客户"
    NEW = "new", "New", "新客户"
    PROMISING = "promising", "Promising", "有希望客户"
    ACTIVE = "active", "Active", "活跃客户"
    NEEDS_ATTENTION = "needs_attention", "Needs attention", "需关注客户"
    PREVIOUSLY_LOYAL = "previously_loyal", "Previously loyal", "曾经忠诚客户"
    AT_RISK = "at_risk", "At risk", "有流失风险客户"
    ALMOST_LOST = "almost_lost", "Almost lost", "即将流失客户"
    DORMANT = "dormant", "Dormant", "沉睡客户"


class CustomerGroup(Code):
    """The four groups of customers, and those who are in none of them."""

    OVER_SERVED = "over_served", "Over-served", "过度服务客户"
    PROSPECTIVE = "prospective", "Prospective", "潜在客户"
    VALUE = "value", "Value", "价值型客户"
    POTENTIAL = "potential", "Potential", "潜力型客户"
    OTHER = "other", "Other", "其他客户"


class HollowSign(Code):
    """What makes a big turnover hollow."""

    LOW_CONTRIBUTION = "low_contribution", "Contributes little", "贡献率低"
    MANY_RETURNS = "many_returns", "Returns much", "退货多"
    DEAR_TO_SERVE = "dear_to_serve", "Dear to serve", "服务成本高"
    ONE_BIG_ORDER = "one_big_order", "One order makes most of the year", "单笔订单占比过大"
    FEW_DAYS = "few_days", "Bought on few days", "购买天数少"


class PruningReason(Code):
    """What speaks for ending what a customer costs; a person decides."""

    OVER_SERVED_AT_A_LOSS = "over_served_at_a_loss", "Over-served at a loss", "过度服务且亏损"
    SILENT_YET_SERVED = "silent_yet_served", "Bought nothing for two years", "两年未购买仍在服务"


class ReportKind(Code):
    """Reports that may take long enough to be made in the background."""

    TIER_SIMULATION = "tier_simulation", "Simulation of a tier policy", "层级政策试算"
    TIER_DISTRIBUTION = "tier_distribution", "Distribution by tier", "层级分布"
    TIER_FLOWS = "tier_flows", "Flows between levels", "层级流动"
    CONCENTRATION = "concentration", "Concentration", "集中度"


class ReportStatus(Code):
    """Life of a report."""

    QUEUED = "queued", "Waiting", "排队中"
    RUNNING = "running", "Being made", "生成中"
    DONE = "done", "Done", "已完成"
    FAILED = "failed", "Failed", "失败"
