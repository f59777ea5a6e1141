"""Defines the usual names of speakers: customers, and agents (people and programs that answer the customers).

A name counts if one of its words is in a list, so `고객 1`, `고객님` and `agent-07` are usual names. If a name has
words of both lists, the last word decides: a `customer agent` is an agent.
"""

from __future__ import annotations

CUSTOMER, AGENT = "customer", "agent"

#: Usual words for a customer, in lower case.
CUSTOMER_WORDS = (
    "고객", "손님", "사용자", "유저", "이용자", "구매자", "소비자", "민원인", "문의자", "질문자", "신청자", "내담자",
    "회원", "발신고객", "인입고객", "의뢰인", "환자", "customer", "customers", "client", "clients", "user", "users",
    "enduser", "caller", "guest", "visitor", "consumer", "buyer", "shopper", "member", "patient", "human", "cust",
)  # fmt: skip

#: Usual words for an agent or a program that answers, in lower case.
AGENT_WORDS = (
    "상담사", "상담원", "상담직원", "상담자", "상담", "상담센터", "상담팀", "직원", "담당자", "담당", "매니저",
    "안내원", "안내", "안내봇", "판매자", "판매원", "점원", "점주", "운영자", "관리자", "고객센터", "고객지원",
    "고객지원팀", "콜센터", "봇", "챗봇", "상담봇", "자동응답", "시스템", "어시스턴트", "agent", "agents",
    "counselor", "counsellor", "counselors", "consultant", "advisor", "adviser", "operator", "representative", "rep",
    "csr", "csa", "staff", "employee", "seller", "support", "helpdesk", "callcenter", "callcentre", "customerservice",
    "customersupport", "customercare", "service", "admin", "manager", "bot", "chatbot", "voicebot", "system",
    "assistant", "ai", "ivr",
)  # fmt: skip
