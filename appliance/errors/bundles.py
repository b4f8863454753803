"""Errors of what is brought in: packs and bundles."""

from __future__ import annotations

from appliance.errors.error import ApplianceError


class PackInvalid(ApplianceError):
    """A pack's YAML or CSV breaks its schema."""

    code, title = "pack_invalid", "知识包无效"
    fix, default_remedy = "请修正所指文件的所指行", "Correct the file and line named"


class BundleRefused(ApplianceError):
    """A bundle is damaged, hostile or not what its manifest says."""

    code, status, title = "bundle_refused", 422, "更新包无效"
    fix = "请从制作者处重新获取更新包；原有内容继续服务"
    default_remedy = "Get the bundle from its maker again; what served before goes on serving"


class BundleUntrusted(BundleRefused):
    """A bundle without a signature that counts here: unknown, revoked or expired key, or a wrong signature."""

    code, status, title = "bundle_untrusted", 403, "更新包的签名不受信任"
    fix = "请用本机信任的密钥签名；受信任的密钥见 appliance bundle key list"
    default_remedy = "Sign it with a key that is trusted here; `appliance bundle key list` shows them"


class BundleUnsuitable(BundleRefused):
    """A whole and signed bundle that is not for this appliance as it is now: older, another board, known to be bad."""

    code, status, title = "bundle_unsuitable", 409, "更新包不适用于本机"
    fix, default_remedy = "请制作适用于本机的更新包", "Make a bundle for this appliance"


class BundleFailed(BundleRefused):
    """A bundle that was unpacked whole but did not pass its self-test."""

    code, status, title = "bundle_failed", 500, "更新包未通过自检"
    fix = "原有内容继续服务；请按提示修正后用更高版本号重新制作"
    default_remedy = "What served before goes on serving; correct the bundle and make it with a higher version"
