"""Who does what: roles, permissions, actions, and what is told to others."""

from app.vocabulary.codes import Code


class Role(Code):
    """What a member of staff is in the chain; decides their permissions."""

    ADMIN = "admin", "Administrator", "系统管理员"
    MANAGER = "manager", "Headquarters manager", "总部经理"
    STORE_MANAGER = "store_manager", "Store manager", "店长"
    CLERK = "clerk", "Clerk", "店员"
    SERVICE = "service", "Customer service", "客服"
    MARKETING = "marketing", "Marketing", "市场"
    AUDITOR = "auditor", "Auditor", "审计"


class Permission(Code):
    """What a route asks for; roles hold sets of them, API keys are given some as scopes."""

    ME_READ = "me:read", "See oneself", "查看本人信息"
    CUSTOMERS_READ = "customers:read", "Read cards", "查看客户卡"
    CUSTOMERS_WRITE = "customers:write", "Create and change cards", "新建和修改客户卡"
    CUSTOMERS_UNMASK = "customers:unmask", "See phones and e-mails in full", "查看完整联系方式"
    CUSTOMERS_MERGE = (
        "customers:merge",
        "Merge cards and decide on duplicates",
        "合并客户卡与判定重复",
    )
    CUSTOMERS_EXPORT = "customers:export", "Export lists", "导出列表"
    IMPORTS_WRITE = "imports:write", "Import files", "导入文件"
    PRIVACY_WRITE = "privacy:write", "Copy out and erase a person's data", "提供和删除个人数据"
    CONSENTS_WRITE = "consents:write", "Record consent", "登记授权"
    CUSTOM_FIELDS_WRITE = "custom_fields:write", "Administer custom fields", "管理自定义字段"
    INTERACTIONS_READ = "interactions:read", "Read interactions", "查看互动记录"
    INTERACTIONS_WRITE = "interactions:write", "Record interactions", "登记互动"
    CHANNELS_WRITE = "channels:write", "Administer the costs of channels", "管理渠道成本"
    PURCHASES_READ = "purchases:read", "Read purchases", "查看购买记录"
    EVENTS_READ = "pos_events:read", "Read till events", "查看收银事件"
    EVENTS_REPLAY = "pos_events:replay", "Replay held till events", "重放搁置的收银事件"
    TIERS_READ = "tiers:read", "Read tiers and policies", "查看层级与政策"
    TIERS_WRITE = "tiers:write", "Set tiers by hand and decide reviews", "人工指定层级与复核升级"
    TIER_POLICIES_WRITE = "tier_policies:write", "Write and publish tier policies", "制定层级政策"
    REPORTS_READ = "reports:read", "Read reports", "查看报表"
    STAFF_READ = "staff:read", "Read staff", "查看员工"
    STAFF_WRITE = "staff:write", "Administer staff", "管理员工"
    STORES_READ = "stores:read", "Read stores", "查看门店"
    STORES_WRITE = "stores:write", "Administer stores", "管理门店"
    SOURCES_READ = "sources:read", "Read tills and web shops", "查看收银来源"
    SOURCES_WRITE = "sources:write", "Administer tills and web shops", "管理收银来源"
    CATALOGUE_READ = "catalogue:read", "Read the catalogue", "查看商品目录"
    CATALOGUE_WRITE = "catalogue:write", "Administer the catalogue", "管理商品目录"
    API_CLIENTS_WRITE = "api_clients:write", "Administer API clients", "管理接口客户端"
    AUDIT_READ = "audit:read", "Read the audit trail", "查看审计记录"


class AbsenceReason(Code):
    """Why a member of staff is away."""

    LEAVE = "leave", "Leave", "休假"
    SICK = "sick", "Sick", "病假"
    TRAINING = "training", "Training", "培训"
    OTHER = "other", "Other", "其他"


class Action(Code):
    """What the audit trail says was done."""

    CREATED = "created", "Created", "新建"
    CHANGED = "changed", "Changed", "修改"
    ARCHIVED = "archived", "Archived", "归档"
    RESTORED = "restored", "Restored", "恢复"
    DISABLED = "disabled", "Disabled", "停用"
    ENABLED = "enabled", "Enabled", "启用"
    PASSWORD_RESET = "password_reset", "Password reset", "重置密码"
    SIGNED_IN = "signed_in", "Signed in", "登录"
    SIGNED_OUT = "signed_out", "Signed out", "退出"
    REVOKED = "revoked", "Revoked", "撤销"
    HANDED_OVER = "handed_over", "Handed over", "移交"
    REPLAYED = "replayed", "Replayed", "重放"
    ATTACHED = "attached", "Attached", "归户"
    VERIFIED = "verified", "Verified", "核实"
    DECIDED = "decided", "Decided", "判定"
    MERGED = "merged", "Merged", "合并"
    UNMERGED = "unmerged", "Merge undone", "撤销合并"
    IMPORTED = "imported", "Imported", "导入"
    UNDONE = "undone", "Undone", "回退"
    CANCELLED = "cancelled", "Cancelled", "取消"
    EXPORTED = "exported", "Exported", "导出"
    DISCLOSED = "disclosed", "Shown in full", "查看完整信息"
    COPIED = "copied", "Copied out", "提供副本"
    ERASED = "erased", "Erased", "删除个人数据"
    DEFERRED = "deferred", "Deferred", "延后"
    PUBLISHED = "published", "Published", "发布"
    RETIRED = "retired", "Retired", "停用版本"
    SIMULATED = "simulated", "Tried out", "试算"


class ActorKind(Code):
    """Who acts: the audit trail names one of these."""

    STAFF = "staff", "Staff", "员工"
    API_CLIENT = "api_client", "API client", "接口客户端"
    SOURCE = "source", "Till or web shop", "收银来源"
    SYSTEM = "system", "The service itself", "系统"


class DomainEvent(Code):
    """What is told to other systems, written to the outbox with its cause."""

    CUSTOMER_CREATED = "customer.created", "Card created", "客户卡已新建"
    CUSTOMER_UPDATED = "customer.updated", "Card changed", "客户卡已修改"
    CUSTOMER_ARCHIVED = "customer.archived", "Card archived", "客户卡已归档"
    CUSTOMER_RESTORED = "customer.restored", "Card restored", "客户卡已恢复"
    CUSTOMER_MERGED = "customer.merged", "Cards merged", "客户卡已合并"
    CUSTOMER_UNMERGED = "customer.unmerged", "Merge undone", "合并已撤销"
    CUSTOMER_ERASED = "customer.erased", "Person erased", "个人数据已删除"
    CONSENT_CHANGED = "consent.changed", "Consent changed", "授权已变更"
    INTERACTION_RECORDED = "interaction.recorded", "Interaction recorded", "互动已登记"
    INTERACTION_CHANGED = "interaction.changed", "Interaction changed", "互动已修改"
    IMPORT_FINISHED = "import.finished", "Import finished", "导入已结束"
    PURCHASE_RECORDED = "purchase.recorded", "Purchase recorded", "购买已入账"
    PURCHASE_REFUNDED = "purchase.refunded", "Purchase refunded", "购买已退货"
    PURCHASE_VOIDED = "purchase.voided", "Receipt voided", "小票已作废"
    PURCHASE_ATTACHED = "purchase.attached", "Receipt joined its card", "小票已归户"
    TIER_CHANGED = "tier.changed", "Tier changed", "层级已变更"
    TIER_NOTICE_GIVEN = "tier.notice_given", "A level will be lost", "即将降级通知"
    TIER_REVIEW_OPENED = "tier.review_opened", "An upgrade is held for review", "升级待复核"
    TIER_POLICY_ACTIVATED = "tier_policy.activated", "Tier policy in force", "层级政策已生效"
    REPORT_FINISHED = "report.finished", "Report finished", "报表已结束"
