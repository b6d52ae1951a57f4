"""Invented names and sentences for the personal fields: nobody's, in Chinese and English mixed."""

from __future__ import annotations

from random import Random

SURNAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜"
GIVEN = ("晓明", "雨桐", "子涵", "思远", "佳怡", "文博", "若曦", "浩然", "欣妍", "俊杰", "梦琪", "志强", "婉清", "一鸣")
FIRST = ("Alice", "Bruno", "Chiara", "Dmitri", "Elena", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Katya", "Liam")
LAST = ("Marsh", "Novak", "Okoye", "Petrov", "Quist", "Rossi", "Silva", "Tanaka", "Ulrich", "Vance", "Weber", "Yilmaz")
FIRMS = (
    "远山贸易",
    "蓝湖科技",
    "Northwind Parts",
    "青禾食品",
    "Brightwell Ltd.",
    "星桥物流",
    "云帆电子",
    "Calder & Sons",
)

THINGS = (
    "订单页面", "发票", "物流跟踪", "the mobile app", "会员积分", "退款流程", "the export file", "安装服务",
    "the monthly statement", "售后电话", "价格说明", "the search page", "库存提醒", "合同模板",
)  # fmt: skip
MESSAGES = {
    "inquiry": ("请问{t}在哪里可以找到？", "How do I use {t}?", "想了解一下{t}的具体规则。"),
    "problem": ("{t}打不开，一直报错。", "{t} has been failing since this morning.", "{t}显示的数据不对，请尽快处理。"),
    "complaint": (
        "我对{t}非常不满意，等了很久没有人回复。",
        "Third time I complain about {t}.",
        "{t}的问题说了两次还没解决。",
    ),
    "suggestion": ("建议{t}增加批量操作。", "It would help if {t} could be filtered by date.", "希望{t}支持英文界面。"),
    "feedback": ("{t}比以前好用多了。", "Overall {t} works, but it is slow on Mondays.", "{t}的说明写得很清楚。"),
    "other": ("关于{t}，请回电。", "Please call me back about {t}.", "转达：客户想谈谈{t}。"),
}
ANSWERS = (
    "您好，已收到，我们马上核实{t}。",
    "Thank you, a colleague is looking into {t}.",
    "关于{t}，已为您登记处理。",
)
SOLUTIONS = ("更新{t}并补发通知。", "Replace {t} and credit one month.", "为客户单独配置{t}，两周内复核。")
STATEMENTS = (
    "客户需要{t}支持批量导出。",
    "{t} must answer within two seconds.",
    "希望{t}能提前一天提醒。",
    "{t}要有中英文两版。",
)
MINUTES = (
    "会谈要点：{t}；下次跟进本周五。",
    "Discussed {t}; price and date confirmed by the customer.",
    "确认{t}的范围与验收人。",
)
BOUNDARIES = ("只含{t}，不含历史数据。", "Covers {t} on the web, not the app.")
CRITERIA = ("{t}连续两周无报错。", "95 % of users find {t} in one step.")
COMMENTS = ("{t}改进后很方便。", "Better, but {t} is still slow.", "满意，谢谢。", "{t}还差一点。")
MEASURES = ("专属经理一周内上门，优惠续约。", "Offer a free migration of {t}.", "按客户意见重做{t}并致歉。")
REJECTIONS = ("与产品方向不符。", "Told twice that this cannot be done safely.", "重复提交且无法联系客户。")
CORRECTIONS = ("录入有误，更正。", "Typed into the wrong record.", "与客户核对后更正。")
ACTIONS = ("一周内回访并说明处理结果。", "Give {t} one responsible person.", "优化{t}，下月再问一次。")
TOPICS = ("{t}的规则下月起调整", "{t} changes its terms", "{t}升级期间暂停两小时", "New guide for {t}")
ISSUES = ("{t}的数据缺失。", "Two people fewer than planned.", "供应商接口晚两周。")
ADJUSTMENTS = ("先上线{t}，其余顺延。", "Start with {t} only.", "增加一次试运行。")
SCRIPTS = (
    "首次问候", "Late parcel", "退款说明", "Password forgotten", "投诉安抚", "Price question", "转接说明", "Callback",
    "会员积分", "Invoice corrected", "系统维护", "Thanks for a suggestion",
)  # fmt: skip
WORDINGS = (
    "您好，关于{t}，我先核实再回复您。",
    "I am sorry about {t}. May I have your order's number?",
    "感谢您对{t}的建议。",
)
COURSES = ("全渠道沟通标准", "Complaint handling", "需求识别")
DELAYS = ("供应商延期。", "Waiting for the security review.", "客户要求推后验收。")


def person(random: Random) -> str:
    """An invented name: a Chinese person, a foreign one, or a firm."""
    draw = random.random()
    if draw < 0.6:
        return random.choice(SURNAMES) + random.choice(GIVEN)
    if draw < 0.85:
        return f"{random.choice(FIRST)} {random.choice(LAST)}"
    return random.choice(FIRMS)


def sentence(random: Random, templates: tuple[str, ...]) -> str:
    """One of the templates about one of the company's things."""
    return random.choice(templates).replace("{t}", random.choice(THINGS))
