"""Which word of the fixed list a LiteLLM failure becomes."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentops_pipelines.sources.litellm.errors import ERROR_KINDS, error_class, error_kind
from agentops_pipelines_tests.litellm_server import recorded_rows

LITELLM_1_108_7 = {
    # what happened: (error_class, error_code, normalized_error, category, limit type, llm_provider, message), kind
    "key max_budget reached": (
        "BudgetExceededError",
        "422",
        "429_BUDGET_EXCEEDED",
        "litellm_rate_limit",
        "budget",
        "openai",
        "Budget has been exceeded!",
        "budget",
    ),
    "key rpm_limit": (
        "ProxyRateLimitError",
        "429",
        "429_RATE_LIMIT_EXCEEDED",
        "litellm_rate_limit",
        "requests",
        "azure",
        "litellm.RateLimitError: Rate limit exceeded for REDACTED Limit type: requests.",
        "key_rpm_limit",
    ),
    "key tpm_limit": (
        "ProxyRateLimitError",
        "429",
        "429_RATE_LIMIT_EXCEEDED",
        "litellm_rate_limit",
        "tokens",
        "azure",
        "litellm.RateLimitError: Rate limit exceeded for REDACTED Limit type: tokens.",
        "key_tpm_limit",
    ),
    "deployment rpm": (
        "RateLimitError",
        "429",
        "429_RATE_LIMIT_EXCEEDED",
        "vendor_rate_limit",
        None,
        "",
        "litellm.RateLimitError: Model rate limit exceeded. RPM limit=2, current usage=3",
        "deployment_limit",
    ),
    "upstream 429": (
        "RateLimitError",
        "429",
        "429_RATE_LIMIT_EXCEEDED",
        "vendor_rate_limit",
        None,
        "azure",
        "litellm.RateLimitError: AzureException RateLimitError",
        "vendor_rate_limit",
    ),
    "upstream 500": ("APIError", "500", "500_PROVIDER_INTERNAL_ERROR", None, None, "azure", "", "provider_error"),
    "upstream 500, newer class": (
        "InternalServerError",
        "500",
        "500_PROVIDER_INTERNAL_ERROR",
        None,
        None,
        "azure_ai",
        "",
        "provider_error",
    ),
    "timeout": ("Timeout", "408", "408_UPSTREAM_TIMEOUT", None, None, "azure", "litellm.Timeout:", "timeout"),
    "content filter": (
        "ContentPolicyViolationError",
        "content_filter",
        "400_CONTENT_POLICY_VIOLATION",
        None,
        None,
        "azure",
        "",
        "content_filter",
    ),
    "context window": (
        "ContextWindowExceededError",
        "400",
        "400_CONTEXT_WINDOW_EXCEEDED",
        None,
        None,
        "azure",
        "",
        "context_window",
    ),
    "upstream 401": (
        "AuthenticationError",
        "401",
        "401_AUTHENTICATION_FAILED",
        None,
        None,
        "azure",
        "",
        "provider_auth",
    ),
    "unknown virtual key": (
        "KeyNotFoundError",
        "401",
        "401_AUTHENTICATION_FAILED",
        None,
        None,
        "",
        "Authentication Error, Invalid API key provided.",
        "unknown_key",
    ),
    "blocked key": (
        "Exception",
        "",
        "UNCLASSIFIED",
        None,
        None,
        "",
        "Key is blocked. Update via `/key/unblock` if you're an admin.",
        "blocked_key",
    ),
    "expired key": (
        "ProxyException",
        "401",
        "401_AUTHENTICATION_FAILED",
        None,
        None,
        "",
        "Authentication Error - Expired Key.",
        "expired_key",
    ),
    "no key": ("Exception", "", "UNCLASSIFIED", None, None, "", "No api key passed in.", "missing_key"),
    "model not in the key's list": (
        "ModelAccessDeniedProxyException",
        "403",
        "403_MODEL_ACCESS_DENIED",
        None,
        None,
        "",
        "The requested model 'heavy' is not available for this API key",
        "model_denied",
    ),
    "unknown model": (
        "ProxyModelNotFoundError",
        "400",
        "400_INVALID_REQUEST",
        None,
        None,
        "",
        "/chat/completions: Invalid model name passed in.",
        "unknown_model",
    ),
    "client hung up": ("ClientDisconnected", "", None, None, None, "", "", "client_disconnect"),
    "refused as invalid": ("BadRequestError", "400", "400_INVALID_REQUEST", None, None, "azure", "", "bad_request"),
    "all deployments cooling down": (
        "RouterRateLimitError",
        "429",
        "429_NO_HEALTHY_DEPLOYMENTS",
        None,
        None,
        "",
        "No deployments available for selected model",
        "no_deployment",
    ),
}

OLDER = {
    # only the first fields existed: (error_class, error_code, message), kind
    "budget, 1.81": ("BudgetExceededError", "", "Budget has been exceeded!", "budget"),
    "budget, 2024": ("ProxyException", "400", "Authentication Error, ExceededBudget: User", "budget"),
    "provider budget": ("ValueError", "429", "Exceeded budget for provider: crossed budget", "budget"),
    "key limit": (
        "HTTPException",
        "429",
        "LiteLLM Rate Limit Handler for rate limit type = key. Crossed TPM / RPM / Max Parallel Request Limit.",
        "key_limit",
    ),
    "parallel requests": ("HTTPException", "429", "Max parallel request limit reached", "key_parallel_limit"),
    "deployment over tpm": ("RateLimitError", "429", "Deployment over defined tpm limit=100.", "deployment_limit"),
    "model access": ("ProxyException", "401", "API Key not allowed to access model.", "model_denied"),
    "invalid key": ("ProxyException", "401", "Authentication Error, Invalid proxy server token passed.", "unknown_key"),
    "vendor": ("RateLimitError", "429", "", "vendor_rate_limit"),
    "anything": ("SomethingNew", "418", "", "other"),
}


def _information(class_name, code, message, normalized=None, category=None, limit=None, provider=None):
    return {
        "error_class": class_name,
        "error_code": code,
        "error_message": message,
        "normalized_error": normalized,
        "error_rate_limit_category": category,
        "error_rate_limit_type": limit,
        "llm_provider": provider,
    }


@pytest.mark.parametrize("case", LITELLM_1_108_7.values(), ids=LITELLM_1_108_7)
def test_every_failure_of_the_current_version_has_its_kind(case):
    class_name, code, normalized, category, limit, provider, message, kind = case
    assert error_kind(_information(class_name, code, message, normalized, category, limit, provider)) == kind


@pytest.mark.parametrize("case", OLDER.values(), ids=OLDER)
def test_older_versions_are_told_by_class_and_phrase(case):
    class_name, code, message, kind = case
    assert error_kind(_information(class_name, code, message)) == kind


@pytest.mark.parametrize("code", ["400", "401", "422", "429", "500", ""])
def test_a_spent_budget_is_one_whatever_its_status_code(code):
    assert error_kind(_information("BudgetExceededError", code, "")) == "budget"
    assert error_kind(_information("Exception", code, "Budget has been exceeded!")) == "budget"


def test_the_class_decides_before_a_phrase_that_a_fallback_brought_along():
    message = "litellm.RateLimitError: AzureException. Fallback to x also failed: budget has been exceeded, timed out"
    normalized = "408_UPSTREAM_TIMEOUT"  # LiteLLM reads the whole message
    assert (
        error_kind(_information("RateLimitError", "429", message, normalized, "vendor_rate_limit", None, "azure"))
        == "vendor_rate_limit"
    )


def test_a_failure_without_information_is_other():
    assert error_kind({}) == "other"


@pytest.mark.parametrize("recording", ["gateway", "combined"])
def test_no_recorded_failure_is_other(recording):
    failures = [row["metadata"]["error_information"] for row in recorded_rows(recording) if row["status"] == "failure"]
    kinds = {error_kind(information) for information in failures}
    assert failures
    assert "other" not in kinds
    assert kinds <= ERROR_KINDS.keys()


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy
@given(
    st.dictionaries(
        st.sampled_from(
            ["error_class", "error_message", "normalized_error", "error_rate_limit_type", "error_rate_limit_category"]
        ),
        st.one_of(st.none(), st.text(), st.integers(), st.lists(st.text()), st.dictionaries(st.text(), st.text())),
    )
)
def test_nothing_but_the_fixed_list_comes_out_whatever_goes_in(information):
    assert error_kind(information) in ERROR_KINDS


def test_an_error_class_that_is_no_class_name_is_left_out():
    assert error_class({"error_class": "RateLimitError"}) == "RateLimitError"
    assert error_class({"error_class": "it said: secret prompt"}) is None
    assert error_class({"error_class": ["RateLimitError"]}) is None
