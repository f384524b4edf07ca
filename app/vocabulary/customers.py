"""What a card says, and what becomes of cards: found twice, merged, imported."""

from app.vocabulary.codes import Code


class CustomerKind(Code):
    """What a card stands for."""

    INDIVIDUAL = "individual", "Individual", "个人"
    ORGANIZATION = "organization", "Organization", "团体"


class CustomerStatus(Code):
    """Whether a card is in use."""

    ACTIVE = "active", "Active", "有效"
    ARCHIVED = "archived", "Archived", "已归档"
    MERGED = "merged", "Merged into another card", "已并入其他客户卡"
    ERASED = "erased", "Erased", "已删除个人数据"


class CustomerOrigin(Code):
    """How the chain came to know a customer."""

    STORE = "store", "In store", "门店"
    WEB_SHOP = "web_shop", "Web shop", "网店"
    EVENT = "event", "Event", "活动"
    REFERRAL = "referral", "Referral", "推荐"
    IMPORT = "import", "Import", "导入"
    OTHER = "other", "Other", "其他"


class Gender(Code):
    """Gender as the customer states it."""

    FEMALE = "female", "Female", "女"
    MALE = "male", "Male", "男"
    OTHER = "other", "Other", "其他"


class MaritalStatus(Code):
    """Marital status as the customer states it."""

    SINGLE = "single", "Single", "未婚"
    MARRIED = "married", "Married", "已婚"
    OTHER = "other", "Other", "其他"


class BirthdayCalendar(Code):
    """The calendar a birthday is kept in."""

    SOLAR = "solar", "Solar", "公历"
    LUNAR = "lunar", "Lunar", "农历"


class SizeBand(Code):
    """Size of an organization by people."""

    MICRO = "micro", "Fewer than 10", "10 人以下"
    SMALL = "small", "10 to 99", "10–99 人"
    MEDIUM = "medium", "100 to 499", "100–499 人"
    LARGE = "large", "500 and more", "500 人以上"


class IdentityKind(Code):
    """What kind of value finds a card."""

    PHONE = "phone", "Phone", "电话"
    EMAIL = "email", "E-mail", "电子邮箱"
    MEMBER_NUMBER = "member_number", "Member number", "会员号"
    WECHAT = "wechat", "WeChat id", "微信号"
    EXTERNAL = "external", "Id in another system", "外部系统编号"


class FieldType(Code):
    """What values a custom field takes."""

    TEXT = "text", "Text", "文本"
    NUMBER = "number", "Number", "数字"
    DATE = "date", "Date", "日期"
    CHOICE = "choice", "One of a list", "单选"
    MULTI_CHOICE = "multi_choice", "Several of a list", "多选"
    YES_NO = "yes_no", "Yes or no", "是否"


class FieldGroup(Code):
    """Which part of a card's form a custom field belongs to."""

    BASICS = "basics", "Basics", "基本情况"
    EDUCATION = "education", "Education", "教育情况"
    CAREER = "career", "Career", "事业情况"
    FAMILY = "family", "Family", "家庭情况"
    LIVING = "living", "Living", "生活情况"
    PERSONALITY = "personality", "Personality", "个性情况"
    RELATIONS = "relations", "Relations", "人际情况"
    BUSINESS = "business", "Business", "经营情况"


class FamilyRelation(Code):
    """What a member of the family is to the customer."""

    SPOUSE = "spouse", "Spouse", "配偶"
    CHILD = "child", "Child", "子女"
    PARENT = "parent", "Parent", "父母"
    GRANDPARENT = "grandparent", "Grandparent", "祖父母"
    GRANDCHILD = "grandchild", "Grandchild", "孙辈"
    SIBLING = "sibling", "Sibling", "兄弟姐妹"
    OTHER = "other", "Other", "其他"


class CompletenessPart(Code):
    """What counts for the completeness of a card."""

    PHONE = "phone", "Phone", "电话"
    EMAIL = "email", "E-mail", "电子邮箱"
    BIRTHDAY = "birthday", "Birthday", "生日"
    GENDER = "gender", "Gender", "性别"
    ADDRESS = "address", "Address", "地址"
    REGION = "region", "Region", "地区"
    OCCUPATION = "occupation", "Occupation", "职业"
    INTERESTS = "interests", "Interests", "兴趣"
    FAMILY = "family", "Family", "家庭成员"
    HOME_STORE = "home_store", "Home store", "归属门店"
    CONTACT = "contact", "Contact person", "联系人"
    INDUSTRY = "industry", "Industry", "行业"
    SIZE_BAND = "size_band", "Size", "规模"
    TERMS = "terms", "Trading terms", "交易条件"


class ContactRole(Code):
    """What a contact person does in an organization."""

    MANAGEMENT = "management", "Management", "管理"
    PURCHASING = "purchasing", "Purchasing", "采购"
    FINANCE = "finance", "Finance", "财务"
    RECEPTION = "reception", "Reception", "前台"
    USER = "user", "User", "使用者"
    OTHER = "other", "Other", "其他"


class MatchReason(Code):
    """Why a search found a card."""

    EXACT_NAME = "exact_name", "The name", "姓名一致"
    NAME_PREFIX = "name_prefix", "The name begins so", "姓名开头"
    NAME_PART = "name_part", "Part of the name", "姓名中的一部分"
    PINYIN = "pinyin", "The name in pinyin", "姓名拼音"
    PINYIN_PART = "pinyin_part", "Part of the name in pinyin", "姓名一部分的拼音"
    INITIALS = "initials", "Initials of the name", "姓名拼音首字母"
    INITIALS_PART = "initials_part", "Initials of a part of the name", "姓名一部分的拼音首字母"
    MIXED = "mixed", "Characters, pinyin and initials mixed", "汉字、拼音、首字母混合"
    PHONE = "phone", "Phone number", "电话号码"
    PHONE_SUFFIX = "phone_suffix", "Last digits of a phone number", "电话尾号"
    MEMBER_NUMBER = "member_number", "Membership number", "会员号"
    MEMBER_NUMBER_PREFIX = (
        "member_number_prefix",
        "The membership number begins so",
        "会员号开头",
    )
    EMAIL = "email", "E-mail address", "电子邮箱"
    EMAIL_PREFIX = "email_prefix", "The e-mail address begins so", "电子邮箱开头"
    WECHAT = "wechat", "WeChat id", "微信号"
    EXTERNAL = "external", "Id in another system", "外部系统编号"


class DuplicateState(Code):
    """What is known of two cards that look like one customer's."""

    OPEN = "open", "To be looked at", "待处理"
    SAME = "same", "The same customer", "同一客户"
    DIFFERENT = "different", "Different customers", "不同客户"


class MergeStatus(Code):
    """Whether a merge stands."""

    DONE = "done", "Done", "已合并"
    UNDONE = "undone", "Undone", "已撤销"


class MergeRule(Code):
    """Why a merged card says what it says in a field."""

    AGREED = "agreed", "All cards say the same", "各卡一致"
    SURVIVOR = "survivor", "The surviving card says so", "以存续卡为准"
    ONLY_VALUE = "only_value", "No other card says anything", "仅一张卡有值"
    LATEST_VERIFIED = "latest_verified", "The card verified last says so", "以最近核实的卡为准"
    LATEST_CHANGED = "latest_changed", "The card changed last says so", "以最近修改的卡为准"
    EARLIEST = "earliest", "The earliest day", "取最早日期"
    UNITED = "united", "What any card says, together", "各卡合并"
    CHOSEN = "chosen", "Chosen by who merges", "由操作人选定"


class MergeObstacle(Code):
    """Why cards cannot be merged, or a merge cannot be undone."""

    DIFFERENT_KINDS = "different_kinds", "The cards are of different kinds", "客户卡种类不同"
    DECIDED_DIFFERENT = (
        "decided_different",
        "Somebody decided that they are different customers: decide anew first",
        "已判定为不同客户：请先重新判定",
    )
    MERGED_ALREADY = "merged_already", "The card was merged already", "该卡已被合并"
    ERASED = "erased", "The person's data were erased", "个人数据已删除"
    ERASURE_OPEN = "erasure_open", "The person asked to be erased", "已申请删除个人数据"
    SURVIVOR_ARCHIVED = (
        "survivor_archived",
        "The surviving card is archived",
        "存续卡已归档",
    )
    TOO_MANY_IDENTITIES = (
        "too_many_identities",
        "The cards have more identities than one card may have",
        "身份总数超过一张卡的上限",
    )
    UNDONE_ALREADY = "undone_already", "The merge was undone already", "该合并已撤销"
    LATER_MERGE = "later_merge", "A later merge has to be undone first", "须先撤销其后的合并"


class ImportKind(Code):
    """What a file brings."""

    CARDS = "cards", "Customer cards", "客户卡"
    PURCHASES = "purchases", "Purchases", "购买记录"
    INTERACTIONS = "interactions", "Interactions", "互动记录"


class ImportStatus(Code):
    """Life of an import."""

    AWAITING_FILE = "awaiting_file", "Waiting for its file", "等待上传文件"
    UPLOADED = "uploaded", "Uploaded", "已上传"
    CHECKING = "checking", "Being checked", "检查中"
    CHECKED = "checked", "Checked, ready to run", "已检查，可执行"
    RUNNING = "running", "Running", "执行中"
    DONE = "done", "Done", "已完成"
    UNDOING = "undoing", "Being undone", "撤销中"
    UNDONE = "undone", "Undone", "已撤销"
    FAILED = "failed", "Failed", "失败"
    CANCELLED = "cancelled", "Cancelled", "已取消"


class ExportKind(Code):
    """Which list a file holds."""

    CUSTOMERS = "customers", "Customer cards", "客户卡"
    PURCHASES = "purchases", "Purchases", "购买记录"
    INTERACTIONS = "interactions", "Interactions", "互动记录"
    DUPLICATES = "duplicates", "Possible duplicates", "疑似重复"
    POS_EVENTS = "pos_events", "Till events", "收银事件"
    AUDIT = "audit", "Audit trail", "审计记录"


class ExportFormat(Code):
    """What kind of file a list is written to."""

    CSV = "csv", "CSV", "CSV 文件"
    XLSX = "xlsx", "Excel workbook", "Excel 工作簿"


class OnExisting(Code):
    """What becomes of a row whose customer has a card already."""

    SKIP = "skip", "Leave the card as it is", "保留原卡"
    UPDATE = "update", "Write what the row says onto the card", "更新原卡"
    ERROR = "error", "Report the row as an error", "按错误报告"
