"""Every refusal as a problem document (RFC 9457), from one table, in English and Chinese."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError, ResponseValidationError
from fastapi.responses import Response
from fastapi.routing import iter_route_contexts
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from app.core import errors
from app.rules.purchases import Fault
from app.web.findings import field_errors as field_errors
from app.web.findings import pointer_of

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """What a problem code means: its status, its titles, and what to do about it."""

    status: int
    title: str
    title_zh: str
    explanation: str
    explanation_zh: str


PROBLEMS: Mapping[str, ProblemKind] = {
    "malformed-json": ProblemKind(
        400, "The body is not readable JSON", "请求正文不是可读的 JSON",
        "Send one JSON value in UTF-8; signed events may not repeat a key within an object.",
        "请发送一个 UTF-8 编码的 JSON 值；签名事件的同一对象内不得有重复的键。",
    ),
    "idempotency-key-required": ProblemKind(
        400, "Idempotency-Key is required", "缺少 Idempotency-Key",
        "Creating requests carry an Idempotency-Key header of your making (1 to 128 visible "
        "characters); repeat it when you repeat the request.",
        "创建类请求须带自定的 Idempotency-Key 请求头（1–128 个可见字符）；重试时请重复使用。",
    ),
    "bad-request": ProblemKind(
        400, "The request cannot be understood", "无法理解该请求",
        "The request line or a header is not as HTTP wants it.", "请求行或请求头不符合 HTTP 规范。",
    ),
    "unauthenticated": ProblemKind(
        401, "Not signed in", "未登录",
        "Send a token from /v1/auth/token as Authorization: Bearer, or an API key as X-API-Key.",
        "请用 /v1/auth/token 取得的令牌（Authorization: Bearer）或 X-API-Key 请求头中的密钥。",
    ),
    "webhook-signature-invalid": ProblemKind(
        401, "The signature is not valid", "签名无效",
        "Sign '{webhook-id}.{webhook-timestamp}.{body}' with one of the source's live secrets, "
        "over the raw bytes (Standard Webhooks).",
        "请用该来源的有效密钥，对原始字节按 Standard Webhooks 规则签名。",
    ),
    "webhook-timestamp": ProblemKind(
        401, "The signature's time is too far off", "签名时间偏差过大",
        "Set the till's clock: webhook-timestamp may differ from ours by five minutes at most.",
        "请校准收银机时钟：webhook-timestamp 与服务器时间相差不得超过五分钟。",
    ),
    "forbidden": ProblemKind(
        403, "Not allowed", "无权操作",
        "Your role or your stores do not allow this.", "您的角色或所属门店不允许此操作。",
    ),
    "origin-not-allowed": ProblemKind(
        403, "This web page may not call", "不允许该网页来源调用",
        "The page's origin, the method or a header is not among those that the operator allows "
        "(CORS).",
        "该网页的来源、方法或请求头不在运维允许的范围内（CORS）。",
    ),
    "not-found": ProblemKind(
        404, "Not found", "未找到",
        "There is no such thing, or not for you.", "不存在，或您无权查看。",
    ),
    "method-not-allowed": ProblemKind(
        405, "Method not allowed", "不支持该方法",
        "See the Allow header for the methods of this address.", "可用方法见 Allow 响应头。",
    ),
    "not-acceptable": ProblemKind(
        406, "No such representation", "没有所需的表示形式",
        "This address answers JSON.", "该地址返回 JSON。",
    ),
    "conflict": ProblemKind(
        409, "It contradicts what is stored", "与已有数据冲突",
        "Something with this value exists already.", "相同的值已存在。",
    ),
    "event-conflict": ProblemKind(
        409, "The event id was used for another body", "事件编号已用于其他内容",
        "An event's id names one body for ever; give a corrected event a new id.",
        "同一事件编号只能对应一份内容；更正后的事件请使用新编号。",
    ),
    "identity-taken": ProblemKind(
        409, "Another card has this identity", "该身份标识已属于另一张客户卡",
        "Look the card up by this value, and use it.", "请用该值查找并使用已有的客户卡。",
    ),
    "possible-duplicate": ProblemKind(
        409, "There may be such a card already", "可能已有同一客户的卡",
        "Look at `candidates` and use one of them; if it is another customer all the same, send "
        "`allow_duplicate` as true.",
        "请查看 candidates 并使用其中的客户卡；如确为另一位客户，请将 allow_duplicate 设为 true。",
    ),
    "card-merged": ProblemKind(
        409, "The card was merged into another", "该客户卡已并入其他客户卡",
        "Change the surviving card, which `surviving_customer_id` names.",
        "请修改 surviving_customer_id 所指的存续客户卡。",
    ),
    "card-erased": ProblemKind(
        410, "The person's data were erased", "个人数据已删除",
        "Nothing personal is left of this card; its figures go on counting.",
        "该客户卡已不含个人数据，统计数字仍保留。",
    ),
    "merge-plan-stale": ProblemKind(
        409, "Something has changed since the plan", "合并方案已过期",
        "Make a new plan, look at it, and send its fingerprint.",
        "请重新生成合并方案，核对后提交新的指纹。",
    ),
    "unreadable-file": ProblemKind(
        422, "The file cannot be read", "无法读取该文件",
        "Send CSV in UTF-8 or GB18030, or XLSX, with a row of column names first.",
        "请上传 UTF-8 或 GB18030 编码的 CSV，或 XLSX 文件，首行为列名。",
    ),
    "invalid-transition": ProblemKind(
        409, "Not possible in this state", "当前状态不允许",
        "Read the object again and see its state.", "请重新读取对象并查看其状态。",
    ),
    "simulation-required": ProblemKind(
        409, "It was not tried out as it stands", "该政策尚未按现有内容试算",
        "Simulate the draft as it is now, look at who would move, and publish it then.",
        "请对当前草稿进行试算，查看将会变动的客户，然后再发布。",
    ),
    "key-limit": ProblemKind(
        409, "There are two live keys already", "已有两个有效密钥",
        "Revoke one of them first.", "请先撤销其中一个。",
    ),
    "idempotency-in-progress": ProblemKind(
        409, "The first request with this key is still running", "使用该键的首个请求仍在处理中",
        "Wait a moment and repeat the request with the same key.", "请稍候用相同的键重试。",
    ),
    "precondition-failed": ProblemKind(
        412, "It is not the current version", "版本已不是最新",
        "Read the object again and send its ETag as it stands, quotes included, as \"v1\"; "
        "`changed_fields` says what somebody else changed meanwhile.",
        "请重新读取，并原样发送其 ETag（含引号，如 \"v1\"）；changed_fields 列出他人修改的字段。",
    ),
    "too-large": ProblemKind(
        413, "The body is too large", "请求正文过大",
        "Most operations take 1 MB, single events 64 KB, batches 16 MB.",
        "一般操作上限 1 MB，单个事件 64 KB，批量 16 MB。",
    ),
    "unsupported-media-type": ProblemKind(
        415, "Wrong media type or encoding", "媒体类型或编码不受支持",
        "Send application/json in UTF-8 (forms only where the operation says so).",
        "请发送 UTF-8 编码的 application/json（仅在注明处使用表单）。",
    ),
    "validation": ProblemKind(
        422, "Some values are not acceptable", "部分内容不符合要求",
        "`errors` lists the first hundred, each with a JSON pointer; what you sent is never "
        "repeated.",
        "errors 以 JSON 指针逐项列出（至多一百项）；不会回显您发送的内容。",
    ),
    "invalid-cursor": ProblemKind(
        422, "The cursor is not ours, or of another list", "游标无效",
        "Use next_cursor of the previous page with the same filters and sorting.",
        "请使用上一页的 next_cursor，并保持相同的筛选与排序。",
    ),
    "idempotency-key-reused": ProblemKind(
        422, "The key was used for another request", "该键已用于另一请求",
        "Make a new Idempotency-Key for a new request.", "新请求请使用新的 Idempotency-Key。",
    ),
    "precondition-required": ProblemKind(
        428, "If-Match is required", "缺少 If-Match",
        "Send the ETag you were given as If-Match.", "请把读取到的 ETag 作为 If-Match 发送。",
    ),
    "rate-limited": ProblemKind(
        429, "Too many attempts", "尝试过于频繁",
        "Wait as long as Retry-After says.", "请按 Retry-After 等待后重试。",
    ),
    "internal-error": ProblemKind(
        500, "Something went wrong here", "服务器内部错误",
        "It is our fault and was logged under the request id.",
        "这是我们的问题，已按请求编号记录。",
    ),
    "unavailable": ProblemKind(
        503, "Not now", "暂时不可用", "Try again.", "请稍后重试。",
    ),
    "database-unavailable": ProblemKind(
        503, "The database cannot be reached", "无法连接数据库",
        "Nothing was half-done; repeat the request, with the same Idempotency-Key if it has one.",
        "不会只完成一半；请重试，若带有 Idempotency-Key 请使用相同的键。",
    ),
    "database-read-only": ProblemKind(
        503, "The database takes no changes now", "数据库目前只读",
        "Reading works; repeat the change later.", "可以读取；请稍后重试修改。",
    ),
    "database-full": ProblemKind(
        503, "The database is full", "数据库磁盘已满",
        "Nothing was done; tell the operator.", "未做任何更改；请联系运维。",
    ),
    "database-overloaded": ProblemKind(
        503, "The database lacks resources", "数据库资源不足",
        "Nothing was done; try again.", "未做任何更改；请稍后重试。",
    ),
    "database-too-slow": ProblemKind(
        503, "The database took too long", "数据库响应超时",
        "Nothing was done; try again.", "未做任何更改；请稍后重试。",
    ),
    "database-error": ProblemKind(
        503, "The database could not do it", "数据库未能完成操作",
        "Nothing was done; it was logged under the request id.", "未做任何更改；已按请求编号记录。",
    ),
    "pool-exhausted": ProblemKind(
        503, "All database connections are busy", "数据库连接已全部占用",
        "Nothing was done; try again.", "未做任何更改；请稍后重试。",
    ),
    "contended": ProblemKind(
        503, "Too many at once on the same records", "同时修改相同记录者过多",
        "Nothing was done; try again.", "未做任何更改；请稍后重试。",
    ),
    "deadline-exceeded": ProblemKind(
        503, "It took too long", "处理超时",
        "Nothing was half-done; repeat the request, with the same Idempotency-Key if it has one.",
        "不会只完成一半；请重试，若带有 Idempotency-Key 请使用相同的键。",
    ),
    "shutting-down": ProblemKind(
        503, "The service is stopping", "服务正在停止",
        "Nothing was done; try again in a moment.", "未做任何更改；请稍后重试。",
    ),
}  # fmt: skip

# Faults of stored events stand inside a result, never as an answer of their own; their pages are
# served like those of the others.
EVENT_PROBLEMS: Mapping[str, ProblemKind] = {
    str(fault): ProblemKind(
        202, fault.label.en, fault.label.zh,
        "The event is kept and has no effect. Mend what is wrong and replay it, or send a "
        "corrected event with a new id.",
        "事件已保存但未入账。请更正后重放，或以新编号重新发送。",
    )
    for fault in Fault
} | {
    "original-awaited": ProblemKind(
        202, "It waits for the receipt it refers to", "等待其所引用的原小票",
        "The event is kept and applied when that receipt comes.", "原小票到达后自动入账。",
    )
}  # fmt: skip

_STATUS_CODES: Mapping[int, str] = {
    400: "bad-request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    413: "too-large",
    415: "unsupported-media-type",
    422: "validation",
    429: "rate-limited",
    503: "unavailable",
}


def prefers_chinese(accept_language: str | None) -> bool:
    """Tell whether ``Accept-Language`` ranks Chinese before English (RFC 9110, quality values)."""
    best: dict[str, float] = {}
    for part in (accept_language or "").split(","):
        tag, _, parameters = part.strip().partition(";")
        language = tag.strip().lower().split("-")[0]
        quality = 1.0
        if parameters.strip().startswith("q="):
            try:
                quality = float(parameters.strip()[2:])
            except ValueError:
                quality = 0.0
        if language in {"zh", "en"}:
            best[language] = max(best.get(language, 0.0), quality)
    return best.get("zh", 0.0) > best.get("en", 0.0)


def problem_response(
    scope: Mapping[str, Any],
    code: str,
    *,
    detail: str | None = None,
    detail_zh: str | None = None,
    members: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the problem document for a code; ``instance`` is the path without its query."""
    kind = PROBLEMS[code]
    chinese = _is_chinese_wanted(scope)
    document: dict[str, object] = {
        "type": f"/problems/{code}",
        "title": kind.title_zh if chinese else kind.title,
        "status": kind.status,
        "detail": (detail_zh if chinese else detail)
        or (kind.explanation_zh if chinese else kind.explanation),
        "instance": scope["path"].encode("utf-8", "replace").decode(),
        "request_id": scope.get("huike.request_id", ""),
        **(members or {}),
    }
    return Response(
        orjson.dumps(document),
        status_code=kind.status,
        media_type=MEDIA_TYPE,
        headers={
            "Content-Language": "zh" if chinese else "en",
            "Vary": "Accept-Language",
            "Cache-Control": "no-store",
            **(headers or {}),
        },
    )


def response_for(scope: Mapping[str, Any], error: errors.HuikeError) -> Response:
    """Return the problem document for an error of ours."""
    members = dict(error.members)
    if isinstance(error, errors.InvalidInputError | errors.ConflictError) and (
        error.errors or isinstance(error, errors.InvalidInputError)
    ):
        chinese = _is_chinese_wanted(scope)
        members["errors"] = [
            {
                "pointer": part.pointer,
                "code": part.code,
                "detail": (part.detail_zh if chinese else None) or part.detail,
            }
            for part in error.errors
        ]
    return problem_response(
        scope,
        error.code,
        detail=error.detail,
        detail_zh=error.detail_zh,
        members=members,
        headers=error.headers,
    )


def _is_chinese_wanted(scope: Mapping[str, Any]) -> bool:
    return prefers_chinese(Headers(raw=scope.get("headers", [])).get("accept-language"))


def install_problem_handlers(app: FastAPI) -> None:
    """Answer every refusal, the framework's own included, with a problem document.

    Failures of the database need no handler: :meth:`Database.transaction` has turned them into
    errors of ours.
    """

    @app.exception_handler(errors.HuikeError)
    async def _ours(request: Request, error: errors.HuikeError) -> Response:
        return response_for(request.scope, error)

    @app.exception_handler(RequestValidationError)
    async def _validation(request: Request, error: RequestValidationError) -> Response:
        return response_for(
            request.scope,
            errors.InvalidInputError(
                "Some values are not acceptable.",
                field_errors(error.errors()),
                detail_zh="部分内容不符合要求。",
            ),
        )

    @app.exception_handler(HTTPException)
    async def _framework(request: Request, error: HTTPException) -> Response:
        headers = dict(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            # The framework names the methods of the first route with this path only.
            headers["Allow"] = ", ".join(methods_of(app, request.scope["path"]))
            if request.method == "OPTIONS":
                return Response(status_code=204, headers=headers)
        code = _STATUS_CODES.get(
            error.status_code, "bad-request" if error.status_code < 500 else "internal-error"
        )
        return problem_response(request.scope, code, headers=headers)

    @app.exception_handler(ResponseValidationError)
    async def _our_fault(request: Request, error: ResponseValidationError) -> Response:
        found = [(pointer_of(item["loc"]), item["type"]) for item in error.errors()]
        log.error("answer_not_as_its_schema", found=found[:10])
        return problem_response(request.scope, "internal-error")


def methods_of(app: FastAPI, path: str) -> list[str]:
    """Return the methods that some route of this path takes, sorted; HEAD goes with GET."""
    methods: set[str] = set()
    for route in iter_route_contexts(app.routes):
        if route.path is not None and compile_path(route.path)[0].match(path):
            methods |= route.methods or set()
    if "GET" in methods:
        methods.add("HEAD")
    return sorted(methods)
