"""Errors of whoever asks, and of having no room for them: what a channel answers with."""

from __future__ import annotations

from appliance.errors.error import ApplianceError


class BadRequest(ApplianceError):
    """The body could not be parsed at all."""

    code, status, title = "bad_request", 400, "请求格式错误"
    fix, default_remedy = "请按 /docs 中的格式发送请求", "Send the request in the form shown at /docs"


class Unauthorized(ApplianceError):
    """A token is required and was missing or wrong."""

    code, status, title = "unauthorized", 401, "需要有效令牌"
    fix, default_remedy = "请在 Authorization: Bearer 中提供令牌", "Send the token as Authorization: Bearer TOKEN"


class ForeignHost(ApplianceError):
    """The Host header names a host that this appliance does not serve (DNS rebinding)."""

    code, status, title = "foreign_host", 403, "主机名不被允许"
    fix = "请使用设置 http_allowed_hosts 中的主机名访问"
    default_remedy = "Use an address listed in the setting http_allowed_hosts"


class ForeignOrigin(ApplianceError):
    """The Origin header names another site (cross-site request)."""

    code, status, title = "foreign_origin", 403, "不允许跨站请求"
    fix, default_remedy = "请从本机页面发送请求", "Send the request from the appliance's own page or without an Origin"


class PinWrong(ApplianceError):
    """The PIN that was typed is not the technician's."""

    code, status, title = "pin_wrong", 403, "PIN 不正确"
    fix, default_remedy = "请重新输入；多次输错后需等待", "Type it again; after several wrong ones there is a wait"


class VisitOver(ApplianceError):
    """The technician's visit to the service page is over, or there was none."""

    code, status, title = "visit_over", 403, "维修页已关闭"
    fix, default_remedy = "请重新输入 PIN", "Open the service page again with the PIN"


class NotFound(ApplianceError):
    """No such route or resource."""

    code, status, title = "not_found", 404, "没有这个地址"
    fix, default_remedy = "可用的地址见 /docs", "See /docs for the routes that exist"


class MethodNotAllowed(ApplianceError):
    """The route exists but not for this method."""

    code, status, title = "method_not_allowed", 405, "不支持的请求方法"
    fix, default_remedy = "请使用 Allow 头中的方法", "Use a method named in the Allow header"


class RequestTimeout(ApplianceError):
    """The client sent its body too slowly."""

    code, status, title = "request_timeout", 408, "上传超时"
    fix, default_remedy = "请检查网络后重新上传", "Check the connection and send the request again"


class TooLarge(ApplianceError):
    """Body, image or audio over its limit."""

    code, status, title = "too_large", 413, "内容过大"
    fix, default_remedy = "请缩小图片或缩短录音后重试", "Send a smaller image or a shorter recording"


class UnsupportedMedia(ApplianceError):
    """A content type or file format that is not read."""

    code, status, title = "unsupported_media", 415, "不支持的格式"
    fix = "请发送 JSON 文字、JPEG/PNG/WebP/BMP 图片或 WAV 录音"
    default_remedy = "Send JSON text, a JPEG, PNG, WebP or BMP image, or a WAV recording"


class InvalidInput(ApplianceError):
    """Well-formed but not acceptable: wrong fields, too long, not decodable."""

    code, status, title = "invalid_input", 422, "输入无效"
    fix, default_remedy = "请按提示修改后重试", "Correct the named field and send it again"


class TooManyRequests(ApplianceError):
    """One session asks more at once than its share."""

    code, status, title = "too_many_requests", 429, "请求过于频繁"
    fix, default_remedy = "请等上一个请求完成后再试", "Wait for the previous request of this session to finish"


class Overloaded(ApplianceError):
    """The appliance sheds load before it grows slow."""

    code, status, title = "overloaded", 503, "系统繁忙"
    fix, default_remedy = "请稍候重试", "Try again after the time in Retry-After"


class Unavailable(ApplianceError):
    """A feature is off because its model or program is not installed or was refused."""

    code, status, title = "unavailable", 503, "该功能当前不可用"
    fix, default_remedy = "请运行 appliance check 查看原因", "Run `appliance check` to see what is missing and why"


class DeadlineExceeded(ApplianceError):
    """The work was not finished in the time allowed."""

    code, status, title = "deadline_exceeded", 503, "处理超时"
    fix, default_remedy = "请稍候重试", "Try again; the appliance was too busy to finish in time"
