"""What went wrong with a LiteLLM request: one word from a fixed list, so that no error text enters the warehouse.

Belongs here: the list and how LiteLLM's `error_information` maps to it. Status codes decide nothing: LiteLLM changes
them (a spent budget was 400, 422 and 429) and one code has many causes. The exception class decides, then LiteLLM's
own `normalized_error` (newer versions), then the fixed phrases of LiteLLM's messages. A message is looked at and
forgotten: nothing here returns or raises a part of it.
"""

import re
from collections.abc import Mapping
from typing import Any

ERROR_KINDS: dict[str, str] = {
    "budget": "a budget (of the key, its user, team, tag or provider) is spent",
    "key_rpm_limit": "the key (or its user or team) made too many requests per minute",
    "key_tpm_limit": "the key (or its user or team) used too many tokens per minute",
    "key_parallel_limit": "the key (or its user or team) had too many requests in flight",
    "key_limit": "a limit of the key, user or team; LiteLLM does not say which one",
    "deployment_limit": "LiteLLM's own rpm or tpm limit of a deployment",
    "vendor_rate_limit": "the provider answered with its rate limit",
    "no_deployment": "no deployment of the group was available (all cooling down)",
    "timeout": "the provider did not answer in time",
    "content_filter": "the provider's content filter",
    "guardrail": "a guardrail of the proxy",
    "context_window": "the request is longer than the model's context window",
    "provider_auth": "the provider refused the proxy's credentials",
    "missing_key": "no virtual key was sent",
    "unknown_key": "the virtual key does not exist",
    "blocked_key": "the virtual key is blocked",
    "expired_key": "the virtual key has expired",
    "model_denied": "the key may not call this model",
    "unknown_model": "the proxy has no such model",
    "provider_error": "the provider failed or could not be reached",
    "bad_request": "the request was refused as invalid",
    "client_disconnect": "the client hung up",
    "other": "anything else",
}
"""Every kind and its meaning."""

_CLASSES: dict[str, str] = {
    "ClientDisconnected": "client_disconnect",
    "BudgetExceededError": "budget",
    "RouterRateLimitError": "no_deployment",
    "RouterRateLimitErrorBasic": "no_deployment",
    "Timeout": "timeout",
    "APITimeoutError": "timeout",
    "TimeoutError": "timeout",
    "ReadTimeout": "timeout",
    "ConnectTimeout": "timeout",
    "ContentPolicyViolationError": "content_filter",
    "GuardrailRaisedException": "guardrail",
    "GuardrailInterventionNormalStringError": "guardrail",
    "BlockedPiiEntityError": "guardrail",
    "ContextWindowExceededError": "context_window",
    "AuthenticationError": "provider_auth",
    "PermissionDeniedError": "provider_auth",
    "KeyNotFoundError": "unknown_key",
    "ModelAccessDeniedProxyException": "model_denied",
    "ProxyModelNotFoundError": "unknown_model",
    "APIError": "provider_error",
    "APIConnectionError": "provider_error",
    "APIResponseValidationError": "provider_error",
    "BadGatewayError": "provider_error",
    "InternalServerError": "provider_error",
    "MidStreamFallbackError": "provider_error",
    "NotFoundError": "provider_error",
    "ServiceUnavailableError": "provider_error",
    "BadRequestError": "bad_request",
    "InvalidRequestError": "bad_request",
    "ImageFetchError": "bad_request",
    "JSONSchemaValidationError": "bad_request",
    "RejectedRequestError": "bad_request",
    "UnprocessableEntityError": "bad_request",
    "UnsupportedParamsError": "bad_request",
}
"""Exception classes that say it all. The others (RateLimitError, ProxyException, Exception ...) have many causes."""

_PHRASES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), kind)
    for pattern, kind in (
        (r"budget has been exceeded|ExceededBudget|crossed budget|over budget", "budget"),
        (r"no api key passed in", "missing_key"),
        (r"\b(key|team|user) (is|=\S+ is) blocked|blocked\. update via", "blocked_key"),
        (r"expired key", "expired_key"),
        (r"invalid api key|invalid proxy server token|malformed api key|unable to find token", "unknown_key"),
        (r"not allowed to access model|is not available for this (api )?key|model access denied", "model_denied"),
        (r"invalid model name passed in", "unknown_model"),
        (r"no (healthy )?deployments? available|no healthy deployments?", "no_deployment"),
        (r"model rate limit exceeded|deployment over .{0,20}\b[rt]pm limit", "deployment_limit"),
        (r"rate limit exceeded for .{0,200}limit type: requests", "key_rpm_limit"),
        (r"rate limit exceeded for .{0,200}limit type: tokens", "key_tpm_limit"),
        (r"max parallel request limit reached|limit type: (max|concurrent)_", "key_parallel_limit"),
        (r"crossed tpm / rpm|rate limit handler for rate limit type", "key_limit"),
    )
)
"""LiteLLM's fixed phrases, for classes that do not say what happened and for versions without the newer fields."""

_NORMALIZED: dict[str, str] = {
    "429_BUDGET_EXCEEDED": "budget",
    "429_NO_HEALTHY_DEPLOYMENTS": "no_deployment",
    "429_RATE_LIMIT_EXCEEDED": "vendor_rate_limit",
    "403_MODEL_ACCESS_DENIED": "model_denied",
    "400_CONTENT_POLICY_VIOLATION": "content_filter",
    "400_CONTEXT_WINDOW_EXCEEDED": "context_window",
    "400_INVALID_PARAMETER_VALUE": "bad_request",
    "400_INVALID_REQUEST": "bad_request",
    "400_MISSING_REQUIRED_PARAMETER": "bad_request",
    "408_UPSTREAM_TIMEOUT": "timeout",
    "500_PROVIDER_CONNECTION_ERROR": "provider_error",
    "500_PROVIDER_INTERNAL_ERROR": "provider_error",
    "500_ROUTER_FALLBACK_FAILURE": "provider_error",
    "500_UPSTREAM_PASSTHROUGH": "provider_error",
    "503_PROVIDER_OVERLOADED": "provider_error",
}

_LIMIT_TYPES: dict[str, str] = {
    "budget": "budget",
    "requests": "key_rpm_limit",
    "tokens": "key_tpm_limit",
    "concurrent_requests": "key_parallel_limit",
}

_OWN_LIMITERS = ("ProxyRateLimitError",)
_RATE_LIMITS = ("RateLimitError", *_OWN_LIMITERS)
_CLASS_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,79}")
_MESSAGE_HEAD = 2_000
"""Characters of a message that are looked at: LiteLLM's own phrases stand first, what follows quotes the provider."""


def error_class(information: Mapping[str, Any]) -> str | None:
    """The exception's class name, or None when what stands there is no class name."""
    name = information.get("error_class")
    return name if isinstance(name, str) and _CLASS_NAME.fullmatch(name) else None


def error_kind(information: Mapping[str, Any]) -> str:
    """One of ERROR_KINDS for a row's `metadata.error_information` (may be empty: `other`)."""
    name = error_class(information) or ""
    if name in _CLASSES:
        return _CLASSES[name]
    if name in _RATE_LIMITS:
        return _rate_limit_kind(information, own=name in _OWN_LIMITERS)
    phrase = _phrase_kind(information)
    if phrase is not None:
        return phrase
    if str(information.get("error_rate_limit_category") or "").startswith("litellm_"):
        return _rate_limit_kind(information, own=True)
    return _NORMALIZED.get(str(information.get("normalized_error")), "other")


def _rate_limit_kind(information: Mapping[str, Any], *, own: bool) -> str:
    """Whose limit it was. LiteLLM calls its own deployment limits `vendor_rate_limit`: only the phrase tells."""
    limit = _LIMIT_TYPES.get(str(information.get("error_rate_limit_type")))
    if limit is not None:
        return limit
    own = own or str(information.get("error_rate_limit_category") or "").startswith("litellm_")
    if own or not information.get("llm_provider"):
        phrase = _phrase_kind(information)
        if phrase is not None:
            return phrase
    if information.get("normalized_error") == "429_BUDGET_EXCEEDED":
        return "budget"
    return "key_limit" if own else "vendor_rate_limit"


def _phrase_kind(information: Mapping[str, Any]) -> str | None:
    message = information.get("error_message")
    if not isinstance(message, str):
        return None
    head = message[:_MESSAGE_HEAD]
    return next((kind for pattern, kind in _PHRASES if pattern.search(head)), None)
