"""Words of the built-in company: places, names, products, causes and the sentences that customers and agents write.

Belongs here: vocabulary and its lookup tables. Does not belong here: how often anything happens (`plan.py`,
`world.py`).
Names are put together from lists of syllables and do not stand for anybody; mail domains are the reserved example ones.
"""

from __future__ import annotations

import numpy as np

COMPANY_ZH = "星渡通信"
COMPANY_EN = "Xingdu Telecom"

# (code, zh, en, share of the customers, queue, [(code, zh, en, area code)])
PROVINCES: list[tuple[str, str, str, float, str, list[tuple[str, str, str, str]]]] = [
    (
        "JS",
        "江苏",
        "Jiangsu",
        0.20,
        "js_hotline",
        [
            ("NJ", "南京", "Nanjing", "025"),
            ("SZ", "苏州", "Suzhou", "0512"),
            ("WX", "无锡", "Wuxi", "0510"),
            ("XZ", "徐州", "Xuzhou", "0516"),
        ],
    ),
    (
        "ZJ",
        "浙江",
        "Zhejiang",
        0.17,
        "zj_hotline",
        [
            ("HZ", "杭州", "Hangzhou", "0571"),
            ("NB", "宁波", "Ningbo", "0574"),
            ("WZ", "温州", "Wenzhou", "0577"),
            ("SX", "绍兴", "Shaoxing", "0575"),
        ],
    ),
    (
        "GD",
        "广东",
        "Guangdong",
        0.27,
        "gd_hotline",
        [
            ("GZ", "广州", "Guangzhou", "020"),
            ("SZ", "深圳", "Shenzhen", "0755"),
            ("DG", "东莞", "Dongguan", "0769"),
            ("FS", "佛山", "Foshan", "0757"),
        ],
    ),
    (
        "SC",
        "四川",
        "Sichuan",
        0.14,
        "sc_hotline",
        [
            ("CD", "成都", "Chengdu", "028"),
            ("MY", "绵阳", "Mianyang", "0816"),
            ("LS", "乐山", "Leshan", "0833"),
            ("YB", "宜宾", "Yibin", "0831"),
        ],
    ),
    (
        "HB",
        "湖北",
        "Hubei",
        0.14,
        "hb_hotline",
        [
            ("WH", "武汉", "Wuhan", "027"),
            ("YC", "宜昌", "Yichang", "0717"),
            ("XY", "襄阳", "Xiangyang", "0710"),
            ("HS", "黄石", "Huangshi", "0714"),
        ],
    ),
    (
        "XJ",
        "新疆",
        "Xinjiang",
        0.08,
        "xj_hotline",
        [
            ("WL", "乌鲁木齐", "Urumqi", "0991"),
            ("YN", "伊宁", "Yining", "0999"),
            ("KL", "库尔勒", "Korla", "0996"),
            ("KS", "喀什", "Kashgar", "0998"),
        ],
    ),
]
CITY_SHARE = (0.45, 0.25, 0.18, 0.12)
QUEUES = [province[4] for province in PROVINCES] + ["enterprise", "complaints"]
CITY_CODES = [f"C-{p[0]}-{c[0]}" for p in PROVINCES for c in p[5]]
CITY_ZH = [c[1] for p in PROVINCES for c in p[5]]
CITY_EN = [c[2] for p in PROVINCES for c in p[5]]
CITY_AREA = [c[3] for p in PROVINCES for c in p[5]]
TEAM_CODES = [f"T-{p[0]}-{c[0]}-1" for p in PROVINCES for c in p[5]] + ["T-HQ-ENT", "T-HQ-CMP"]
CITY_WEIGHTS = np.array([p[3] * share for p in PROVINCES for share in CITY_SHARE])

PRODUCTS = ["fixed", "mobile", "broadband"]
PRODUCT_BILLING = ["FIX", "MOB", "BB"]
TARIFFS: list[list[tuple[str, float]]] = [
    [("固话畅聊 20", 20.0), ("固话畅聊 35", 35.0), ("商务总机 120", 120.0)],
    [("星卡 29", 29.0), ("星卡 59", 59.0), ("畅享 99", 99.0), ("畅享 139", 139.0), ("尊享 199", 199.0)],
    [("光宽带 300M", 69.0), ("光宽带 500M", 89.0), ("光宽带 1000M", 129.0), ("企业专线 1000M", 699.0)],
]

SURNAMES = [
    tuple(pair.split(":"))
    for pair in [
        "王:Wang",
        "李:Li",
        "张:Zhang",
        "刘:Liu",
        "陈:Chen",
        "杨:Yang",
        "黄:Huang",
        "赵:Zhao",
        "吴:Wu",
        "周:Zhou",
        "徐:Xu",
        "孙:Sun",
        "马:Ma",
        "朱:Zhu",
        "胡:Hu",
        "郭:Guo",
        "何:He",
        "林:Lin",
        "罗:Luo",
        "高:Gao",
        "郑:Zheng",
        "梁:Liang",
        "谢:Xie",
        "宋:Song",
        "唐:Tang",
        "许:Xu",
        "韩:Han",
        "冯:Feng",
        "邓:Deng",
        "曹:Cao",
        "彭:Peng",
        "曾:Zeng",
        "肖:Xiao",
        "田:Tian",
        "董:Dong",
        "袁:Yuan",
        "潘:Pan",
        "于:Yu",
        "蒋:Jiang",
        "蔡:Cai",
        "余:Yu",
        "杜:Du",
        "叶:Ye",
        "程:Cheng",
        "苏:Su",
        "魏:Wei",
        "吕:Lv",
        "丁:Ding",
        "任:Ren",
        "沈:Shen",
        "姚:Yao",
        "卢:Lu",
        "姜:Jiang",
        "崔:Cui",
        "钟:Zhong",
        "谭:Tan",
        "陆:Lu",
        "汪:Wang",
        "范:Fan",
        "金:Jin",
    ]
]
GIVEN = [
    tuple(pair.split(":"))
    for pair in [
        "伟:Wei",
        "芳:Fang",
        "娜:Na",
        "敏:Min",
        "静:Jing",
        "丽:Li",
        "强:Qiang",
        "磊:Lei",
        "军:Jun",
        "洋:Yang",
        "勇:Yong",
        "艳:Yan",
        "杰:Jie",
        "娟:Juan",
        "涛:Tao",
        "明:Ming",
        "超:Chao",
        "霞:Xia",
        "平:Ping",
        "刚:Gang",
        "桂:Gui",
        "英:Ying",
        "华:Hua",
        "玉:Yu",
        "兰:Lan",
        "红:Hong",
        "梅:Mei",
        "建:Jian",
        "文:Wen",
        "辉:Hui",
        "力:Li",
        "波:Bo",
        "斌:Bin",
        "宇:Yu",
        "浩:Hao",
        "凯:Kai",
        "欣:Xin",
        "怡:Yi",
        "雪:Xue",
        "晨:Chen",
        "佳:Jia",
        "思:Si",
        "雨:Yu",
        "子:Zi",
        "涵:Han",
        "梓:Zi",
        "萱:Xuan",
        "轩:Xuan",
        "博:Bo",
        "睿:Rui",
        "诗:Shi",
        "琪:Qi",
        "瑶:Yao",
        "颖:Ying",
        "倩:Qian",
        "婷:Ting",
        "莉:Li",
        "琳:Lin",
        "鹏:Peng",
        "飞:Fei",
        "龙:Long",
        "亮:Liang",
        "志:Zhi",
        "永:Yong",
        "春:Chun",
        "秋:Qiu",
        "东:Dong",
        "海:Hai",
        "江:Jiang",
        "山:Shan",
        "林:Lin",
        "森:Sen",
        "月:Yue",
        "星:Xing",
        "辰:Chen",
        "翔:Xiang",
        "宁:Ning",
        "安:An",
        "康:Kang",
        "乐:Le",
    ]
]
FIRST_EN = [
    "Adrian",
    "Alicia",
    "Barry",
    "Bella",
    "Carlos",
    "Celia",
    "Darren",
    "Denise",
    "Elliot",
    "Emma",
    "Felix",
    "Fiona",
    "Gareth",
    "Greta",
    "Harvey",
    "Helen",
    "Ivan",
    "Irene",
    "Jasper",
    "Joanna",
    "Kevin",
    "Karla",
    "Leon",
    "Lydia",
    "Marcus",
    "Mona",
    "Nigel",
    "Nadia",
    "Oscar",
    "Olive",
    "Peter",
    "Petra",
    "Quentin",
    "Rosa",
    "Simon",
    "Sonia",
    "Tristan",
    "Tessa",
    "Victor",
    "Vera",
]
LAST_EN = [
    "Ashgrove",
    "Bellweather",
    "Castlebrook",
    "Dunmore",
    "Elmsworth",
    "Fairhollow",
    "Greenlake",
    "Hartwick",
    "Ivybridge",
    "Kestrelton",
    "Lindenham",
    "Marlowe-Finch",
    "Northgate",
    "Oakhurst",
    "Pemberwood",
    "Quillfeather",
    "Ravensdale",
    "Stonewell",
    "Thornbury",
    "Underhay",
    "Vanterpool",
    "Westerley",
    "Yarrowfield",
    "Zellwood",
]
STREETS = [
    "中山路",
    "解放路",
    "人民路",
    "建设路",
    "和平路",
    "新华街",
    "文化路",
    "青年路",
    "长江路",
    "东风路",
    "光明街",
    "滨河路",
]
ENTERPRISE_HEAD = [
    tuple(pair.split(":"))
    for pair in [
        "恒昇:hengsheng",
        "博澜:bolan",
        "启元:qiyuan",
        "云岫:yunxiu",
        "瑞泽:ruize",
        "广陌:guangmo",
        "明川:mingchuan",
        "沐禾:muhe",
        "卓砺:zhuoli",
        "远枫:yuanfeng",
        "盛楠:shengnan",
        "嘉铭:jiaming",
        "宏朴:hongpu",
        "睿川:ruichuan",
        "泰麓:tailu",
        "汇澄:huicheng",
        "新篁:xinhuang",
        "凌川:lingchuan",
        "辰浦:chenpu",
        "沃岭:woling",
    ]
]
ENTERPRISE_TAIL = [
    ("贸易有限公司", "trade", "贸易"),
    ("科技有限公司", "tech", "信息技术"),
    ("物流有限公司", "logistics", "物流"),
    ("餐饮管理有限公司", "catering", "餐饮"),
    ("制造有限公司", "works", "制造"),
    ("医疗器械有限公司", "medical", "医疗"),
    ("教育咨询有限公司", "edu", "教育"),
    ("酒店有限公司", "hotel", "住宿"),
]
MAIL_DOMAINS = ["mail.example.com", "post.example.net", "inbox.example.org", "example.cn.example.com"]

# code, owner, type (value / system / employee), English, Chinese, share of complaints by product (fixed, mobile,
# broadband), resolution code
CAUSES: list[tuple[str, str, str, str, str, tuple[float, float, float], str]] = [
    ("us.billing.rating_error", "us", "system", "Charge rated wrongly", "计费规则出错", (9, 11, 6), "R01"),
    ("us.billing.unclear_bill", "us", "value", "Bill not understood", "账单不清楚", (7, 9, 4), "R02"),
    ("us.product.tariff_too_dear", "us", "value", "Tariff too dear", "资费偏高", (8, 9, 6), "R03"),
    ("us.process.install_capacity", "us", "system", "No capacity to install", "装机能力不足", (5, 0, 10), "R04"),
    ("us.process.repair_dispatch", "us", "system", "Repair dispatched late", "修障派单迟", (14, 2, 19), "R05"),
    ("us.network.outage", "us", "system", "Network outage", "网络中断", (5, 4, 6), "R06"),
    ("us.network.coverage", "us", "system", "No coverage", "信号覆盖差", (0, 13, 1), "R07"),
    ("us.employee.attitude", "us", "employee", "Employee unfriendly", "员工态度差", (8, 7, 7), "R08"),
    (
        "us.employee.wrong_information",
        "us",
        "employee",
        "Employee gave wrong information",
        "员工答复错误",
        (6, 6, 6),
        "R09",
    ),
    ("us.employee.unauthorised_order", "us", "employee", "Ordered without consent", "未经同意开通", (4, 6, 2), "R10"),
    ("us.system.app_release", "us", "system", "Faulty app release", "掌厅版本缺陷", (0, 0, 0), "R11"),
    ("us.process.arrears_stop_wrong", "us", "system", "Stopped although paid", "已缴费仍停机", (6, 6, 5), "R12"),
    ("partner.hall.misselling", "partner", "employee", "Partner hall missold", "代理厅误导销售", (4, 6, 4), "R13"),
    (
        "partner.content.value_added",
        "partner",
        "system",
        "Value-added service billed by a partner",
        "增值业务乱扣费",
        (1, 6, 1),
        "R14",
    ),
    ("device.modem_fault", "device", "system", "Modem faulty", "光猫故障", (6, 0, 13), "R15"),
    ("device.handset", "device", "system", "Handset faulty", "终端故障", (9, 5, 0), "R16"),
    ("customer.misunderstanding", "customer", "value", "Customer misread the terms", "客户误解条款", (5, 6, 6), "R17"),
    ("customer.overuse", "customer", "value", "Usage beyond the allowance", "超出套餐用量", (3, 4, 4), "R18"),
]
CAUSE_CODES = [cause[0] for cause in CAUSES]
CAUSE_INDEX = {code: position for position, code in enumerate(CAUSE_CODES)}
CAUSE_TYPES = ["value", "system", "employee"]
CAUSE_TYPE_OF = np.array([CAUSE_TYPES.index(cause[2]) for cause in CAUSES])
CAUSE_BY_PRODUCT = np.array([[cause[5][p] for cause in CAUSES] for p in range(3)], dtype=float)
CAUSE_BY_PRODUCT /= CAUSE_BY_PRODUCT.sum(axis=1, keepdims=True)

TOPICS = [
    "bill_dispute",
    "bill_question",
    "tariff_change",
    "broadband_slow",
    "broadband_down",
    "mobile_signal",
    "install_late",
    "repair_late",
    "staff_attitude",
    "wrong_information",
    "unwanted_service",
    "arrears_stop",
    "device_fault",
    "number_porting",
    "refund",
    "points",
    "app_login",
    "contract_end",
    "sim_card",
    "real_name",
    "move_house",
    "new_line",
    "roaming",
    "coverage_question",
    "other",
]
TOPIC_INDEX = {topic: position for position, topic in enumerate(TOPICS)}
# The symptom a customer complains about, by true cause: the two are not the same thing.
CAUSE_TOPICS: dict[str, dict[str, float]] = {
    "us.billing.rating_error": {"bill_dispute": 0.8, "refund": 0.2},
    "us.billing.unclear_bill": {"bill_dispute": 0.6, "bill_question": 0.4},
    "us.product.tariff_too_dear": {"tariff_change": 0.6, "bill_dispute": 0.25, "contract_end": 0.15},
    "us.process.install_capacity": {"install_late": 0.9, "other": 0.1},
    "us.process.repair_dispatch": {"repair_late": 0.75, "broadband_down": 0.25},
    "us.network.outage": {"broadband_down": 0.7, "mobile_signal": 0.3},
    "us.network.coverage": {"mobile_signal": 0.9, "roaming": 0.1},
    "us.employee.attitude": {"staff_attitude": 0.9, "other": 0.1},
    "us.employee.wrong_information": {"wrong_information": 0.65, "tariff_change": 0.2, "bill_dispute": 0.15},
    "us.employee.unauthorised_order": {"unwanted_service": 0.85, "bill_dispute": 0.15},
    "us.system.app_release": {"app_login": 1.0},
    "us.process.arrears_stop_wrong": {"arrears_stop": 0.9, "refund": 0.1},
    "partner.hall.misselling": {"unwanted_service": 0.45, "wrong_information": 0.3, "contract_end": 0.25},
    "partner.content.value_added": {"unwanted_service": 0.6, "bill_dispute": 0.4},
    "device.modem_fault": {"device_fault": 0.45, "broadband_slow": 0.35, "broadband_down": 0.2},
    "device.handset": {"device_fault": 0.8, "mobile_signal": 0.2},
    "customer.misunderstanding": {"contract_end": 0.4, "tariff_change": 0.35, "bill_dispute": 0.25},
    "customer.overuse": {"bill_dispute": 0.7, "broadband_slow": 0.3},
}
CAUSE_TOPIC_MATRIX = np.zeros((len(CAUSES), len(TOPICS)))
for _code, _topics in CAUSE_TOPICS.items():
    for _topic, _share in _topics.items():
        CAUSE_TOPIC_MATRIX[CAUSE_INDEX[_code], TOPIC_INDEX[_topic]] = _share
# Topics of the other kinds: (enquiry, request, order), by share.
KIND_TOPICS: list[dict[str, float]] = [
    {
        "bill_question": 30,
        "tariff_change": 14,
        "points": 7,
        "coverage_question": 6,
        "roaming": 6,
        "contract_end": 7,
        "real_name": 5,
        "number_porting": 3,
        "refund": 4,
        "sim_card": 5,
        "other": 13,
    },
    {
        "sim_card": 18,
        "move_house": 20,
        "tariff_change": 26,
        "real_name": 12,
        "refund": 10,
        "contract_end": 8,
        "other": 6,
    },
    {"new_line": 55, "tariff_change": 25, "sim_card": 12, "roaming": 8},
]

TOPIC_ZH = dict(
    zip(
        TOPICS,
        [
            "账单争议",
            "账单查询",
            "套餐变更",
            "宽带慢",
            "宽带断网",
            "手机信号",
            "装机延迟",
            "修障延迟",
            "服务态度",
            "答复错误",
            "被开通业务",
            "欠费停机",
            "设备故障",
            "携号转网",
            "退费",
            "积分",
            "掌厅登录",
            "合约到期",
            "补换卡",
            "实名登记",
            "移机",
            "新装",
            "漫游",
            "覆盖查询",
            "其他",
        ],
        strict=True,
    )
)

PLACES = ["家里", "小区", "办公室", "公司", "宿舍", "地下车库", "电梯里", "店里", "仓库", "医院附近"]
PLACES_EN = [
    "at home",
    "in our compound",
    "at the office",
    "in the shop",
    "in the dormitory",
    "near the station",
    "in the warehouse",
]
# Sentences that carry the cause, by cause: (Chinese, English). {n} a small number, {a} an amount, {p} a place.
CAUSE_TEXTS: dict[str, tuple[list[str], list[str]]] = {
    "us.billing.rating_error": (
        [
            "账单上同一笔费用扣了两次，多收了{a}元",
            "明明办了减免，系统还是按原价扣了{a}元",
            "套餐内的通话被当成套餐外计费，多扣{a}元",
            "优惠期还没到，计费就恢复原价，差了{a}元",
            "上个月的费用这个月又重复出账{a}元",
            "流量统计和我手机里的不一样，多计费{a}元",
        ],
        [
            "I was charged twice for the same item, {a} yuan too much",
            "the discount on my contract was not applied and {a} yuan too much was taken",
            "calls inside my allowance were rated as extra, {a} yuan",
            "the same amount of {a} yuan was billed again this month",
        ],
    ),
    "us.billing.unclear_bill": (
        [
            "账单项目写得看不懂，{a}元的代收费是什么没人说清",
            "账单没有明细，不知道{a}元从哪来",
            "账单格式改版后完全看不明白，每一项都是缩写",
            "短信账单和纸质账单对不上，{a}元解释不清",
        ],
        [
            "I cannot understand the items on the bill, what is this fee of {a} yuan",
            "the bill has no details, nobody explains where {a} yuan come from",
            "the new bill layout is full of abbreviations and I cannot follow it",
        ],
    ),
    "us.product.tariff_too_dear": (
        [
            "资费太贵了，别家同样的套餐便宜{a}元",
            "老用户比新用户还贵，每月多{a}元",
            "涨价之后太不划算，隔壁运营商只要一半价钱",
            "套餐价格偏高，用了{n}年也没有优惠",
        ],
        [
            "the tariff is too expensive, competitors ask {a} yuan less for the same",
            "loyal customers pay {a} yuan more than new ones",
            "after the price rise it is no longer worth the money",
        ],
    ),
    "us.process.install_capacity": (
        [
            "预约装机{n}天了没人上门，说师傅排不过来",
            "安装改约了{n}次，每次都说没有装维人员",
            "说好这周装宽带，结果说端口资源不足要等{n}周",
            "下单{n}天还没装，客服说当地人手不够",
        ],
        [
            "I booked the installation {n} days ago and nobody came, they say no technician is free",
            "the installation date was moved {n} times for lack of staff",
            "they say there is no free port and I must wait {n} weeks for the installation",
        ],
    ),
    "us.process.repair_dispatch": (
        [
            "报修{n}天了都没有派单，没人联系我",
            "工单一直没派下去，维修师傅说没收到单",
            "催了{n}次才知道修障单派错了区域",
            "说24小时内上门维修，等了{n}天没人来",
            "维修单在部门之间转来转去，{n}天没人处理",
        ],
        [
            "I reported the fault {n} days ago and no repair order was dispatched",
            "the technician says he never received the repair order",
            "the repair order was sent to the wrong district and nobody came for {n} days",
            "the repair was promised within 24 hours, I have waited {n} days",
        ],
    ),
    "us.network.outage": (
        [
            "{p}整片都断网了，邻居也上不了",
            "全楼同时断网，说是光缆被挖断",
            "从昨晚开始整个片区没有信号，基站好像坏了",
            "机房故障，断了{n}个小时还没恢复",
        ],
        [
            "the whole area has no service {p}, all neighbours too",
            "they say a fibre cable was cut and the entire building is offline",
            "the outage has lasted {n} hours, the base station seems to be down",
        ],
    ),
    "us.network.coverage": (
        [
            "{p}长期没有信号，打电话总是断",
            "{p}只有一格信号，5G 根本用不了",
            "搬来{n}个月，{p}一直收不到信号",
            "{p}信号盲区，反映过{n}次没改善",
        ],
        [
            "there is never any signal {p}",
            "only one bar of coverage {p}, 5G does not work at all",
            "a dead spot {p} for {n} months, calls keep dropping",
        ],
    ),
    "us.employee.attitude": (
        [
            "营业员说话很不耐烦，爱答不理",
            "客服语气很冲，还直接挂我电话",
            "工作人员态度恶劣，当众嘲讽我",
            "上门的师傅很不礼貌，摔门就走",
            "柜台人员一边玩手机一边应付我",
        ],
        [
            "the clerk was rude and impatient with me",
            "your agent raised his voice and hung up on me",
            "the technician was impolite and slammed the door",
            "the person at the counter ignored me and played with the phone",
        ],
    ),
    "us.employee.wrong_information": (
        [
            "客服当时说可以随时取消，现在又说不行",
            "上次工号人员告诉我没有违约金，结果扣了{a}元",
            "问了{n}个人，答复都不一样",
            "客服给的办理条件是错的，白跑一趟营业厅",
        ],
        [
            "your agent told me I could cancel at any time, now it is not true",
            "I was told there is no penalty and then {a} yuan were taken",
            "I asked {n} agents and got different answers every time",
        ],
    ),
    "us.employee.unauthorised_order": (
        [
            "没经过我同意，客服给我开通了{a}元的业务",
            "回访电话里我没答应，员工还是给办了新套餐",
            "我根本没有签字，却被人工办理了合约",
            "工号人员私自改了我的套餐",
        ],
        [
            "your employee ordered a service of {a} yuan without my consent",
            "I said no on the phone and the agent still changed my plan",
            "somebody on your staff signed me up, I never agreed",
        ],
    ),
    "us.system.app_release": (
        [
            "掌厅更新以后登录不了，一直提示会话失效",
            "新版本 App 一打开就闪退，验证码收不到",
            "App 升级之后登录页面转圈，什么都办不了",
            "更新后的掌上营业厅报错 E{n}04，没法登录",
        ],
        [
            "after the update I cannot log in to the app, it says the session is invalid",
            "the new app version crashes as soon as I open it",
            "since the upgrade the app shows error E{n}04 at login",
        ],
    ),
    "us.process.arrears_stop_wrong": (
        [
            "已经缴费了还是被停机，{n}小时都没恢复",
            "充了{a}元到账了，号码却仍是欠费停机",
            "自动扣款成功，第二天还被停了",
            "没有欠费却被停机，影响工作",
        ],
        [
            "I paid {a} yuan and my line was still stopped",
            "my number was suspended although there are no arrears",
            "the debit went through and service was cut the day after",
        ],
    ),
    "partner.hall.misselling": (
        [
            "代理点为了冲业绩骗我办合约，说是免费的",
            "合作营业厅承诺送手机，办完就不认了",
            "街边代理厅说是体验，结果签了{n}年合约",
            "代办点的人说月费{a}元，实际不是",
        ],
        [
            "the partner shop told me it was free and sold me a contract",
            "the dealer promised a gift phone and now denies it",
            "the agency on the street tricked me into a {n} year contract",
        ],
    ),
    "partner.content.value_added": (
        [
            "不知道哪来的增值业务，每月扣{a}元",
            "第三方彩铃自动扣费{n}个月",
            "游戏点播的服务商扣了{a}元，我没订过",
            "视频会员包是合作方扣的，退不掉",
        ],
        [
            "a third-party ringtone has been charged for {n} months",
            "a content provider took {a} yuan for a game I never ordered",
            "a value-added service of a partner is billed every month",
        ],
    ),
    "device.modem_fault": (
        [
            "光猫红灯一直闪，重启也没用",
            "你们送的光猫用了{n}个月就坏了",
            "路由猫老化，{p}网速只有几兆",
            "光猫一发热就断线，一天{n}次",
        ],
        [
            "the red light of the modem keeps blinking, a restart does not help",
            "the modem you supplied broke after {n} months",
            "the modem overheats and drops the line {n} times a day",
        ],
    ),
    "device.handset": (
        [
            "合约机买了{n}个月就黑屏",
            "话机按键失灵，来电不响",
            "手机主板有问题，插你们的卡不识别",
            "座机听筒坏了，听不到声音",
        ],
        [
            "the contract phone went black after {n} months",
            "the keys of the telephone do not work and it never rings",
            "the handset does not recognise the SIM because of its mainboard",
        ],
    ),
    "customer.misunderstanding": (
        [
            "我以为合约是{n}个月，结果没看清是两年",
            "我理解的不限量是不限速，原来超了会降速",
            "以为首月免费，没注意要按天折算",
            "没注意到条款写的是自动续约",
        ],
        [
            "I thought the contract was for {n} months, I did not read it was two years",
            "I believed unlimited meant no throttling",
            "I had not noticed the clause about automatic renewal",
        ],
    ),
    "customer.overuse": (
        [
            "孩子看视频用超了流量，扣了{a}元",
            "出国忘了关数据，套餐外产生{a}元",
            "用量超过套餐被降速",
            "这个月打得多，超出套餐{a}元",
        ],
        [
            "my child watched videos beyond the allowance, {a} yuan",
            "I forgot to switch off data abroad and used {a} yuan extra",
            "we used more than the allowance and were slowed down",
        ],
    ),
}
TOPIC_TEXTS: dict[str, tuple[list[str], list[str]]] = {
    "bill_question": (
        ["想查一下上个月的账单明细", "请问这个月话费为什么是{a}元", "帮我看看还有多少余额"],
        ["could you check my last bill", "why is my bill {a} yuan this month", "how much credit is left"],
    ),
    "tariff_change": (
        ["想换一个便宜点的套餐", "请帮我升级到{a}元的套餐", "咨询一下家庭融合套餐"],
        ["I would like a cheaper plan", "please move me to the {a} yuan plan", "please tell me about family bundles"],
    ),
    "points": (["积分怎么兑换话费", "积分什么时候过期"], ["how do I redeem my points", "when do my points expire"]),
    "coverage_question": (
        ["{p}有没有 5G 覆盖", "新房那边能装光纤吗"],
        ["is there 5G {p}", "can I get fibre at my new address"],
    ),
    "roaming": (
        ["下周出国，怎么开国际漫游", "香港漫游怎么收费"],
        ["how do I switch on roaming for next week", "what does roaming cost in Hong Kong"],
    ),
    "contract_end": (
        ["合约什么时候到期", "合约还有{n}个月，提前取消怎么算"],
        ["when does my contract end", "what if I cancel {n} months early"],
    ),
    "real_name": (
        ["实名信息需要更新", "身份证换了要重新登记吗"],
        ["my registration data must be updated", "do I have to register my new ID card"],
    ),
    "number_porting": (
        ["携号转网怎么办理", "想把号码转到别的运营商"],
        ["how do I port my number to another operator", "I want to take my number elsewhere"],
    ),
    "refund": (
        ["销户后余额怎么退", "预存的{a}元想退回来"],
        ["please refund my balance", "I would like my deposit of {a} yuan back"],
    ),
    "sim_card": (
        ["卡丢了，想补一张", "换手机要剪卡吗", "eSIM 怎么办"],
        ["I lost my SIM and need a new one", "how do I get an eSIM"],
    ),
    "move_house": (
        ["搬家了，宽带要移机", "下个月{n}号移机可以吗"],
        ["we are moving, please relocate the broadband", "can the line be moved on the {n}th"],
    ),
    "new_line": (
        ["想新装一条宽带", "给老人办张卡", "公司要加{n}个号码"],
        ["I would like to order broadband", "a new number for my parents please", "our company needs {n} more numbers"],
    ),
    "broadband_down": (
        ["宽带上不了网", "从早上开始就断网", "光信号灯不亮"],
        ["the internet does not work", "offline since this morning", "the light of the line is off"],
    ),
    "broadband_slow": (
        ["网速特别慢", "晚上看视频一直卡"],
        ["the internet is very slow", "videos stutter every evening"],
    ),
    "mobile_signal": (["{p}没信号", "打电话听不清"], ["no signal {p}", "calls are hard to understand"]),
    "device_fault": (["设备坏了要维修", "电话没有拨号音"], ["the device is broken", "there is no dial tone"]),
    "other": (["有个问题想咨询", "请尽快联系我"], ["I have a question", "please contact me"]),
}
OPENINGS = (
    ["你好，", "您好！", "", "客服你好，", "急！", "我是老用户了，", "请问，", "再说一次，", "反映一个问题：", ""],
    [
        "Hello, ",
        "Hi, ",
        "",
        "Dear team, ",
        "To whom it may concern: ",
        "Good morning, ",
        "Once again: ",
        "I must say that ",
        "",
    ],
)
DEMANDS = (
    [
        "请尽快解决。",
        "要求退费并道歉。",
        "希望今天给我答复。",
        "再不解决我就投诉到工信部！",
        "请给个说法。",
        "要求赔偿。",
        "麻烦处理一下，谢谢。",
        "不行我就换运营商了。",
    ],
    [
        "Please solve this soon.",
        "I want a refund and an apology.",
        "I expect an answer today.",
        "Otherwise I will go to the regulator.",
        "Please explain.",
        "I ask for compensation.",
        "Thank you for your help.",
        "Or I will change operator.",
    ],
)
POLITE = (["谢谢。", "麻烦了。", "", "等你们回复。"], ["Thank you.", "Thanks a lot.", "", "Waiting for your answer."])
REPLIES = (
    [
        "您好，已为您核实并处理，请查看。",
        "您好，我们已安排专人跟进，给您带来不便深表歉意。",
        "尊敬的客户，问题已解决，如有疑问请回复。",
        "已为您登记，处理结果会短信通知。",
    ],
    [
        "Hello, we have checked and settled this, please have a look.",
        "We are sorry; a colleague is working on it.",
        "Dear customer, this is solved; please reply if anything is open.",
        "We have registered this and will send you the result by text message.",
    ],
)
PROMISES = (
    ["明天中午前给您回电。", "我们{n}个工作日内给您答复。", "今天下班前一定联系您。", "明天下午维修师傅会上门。"],
    [
        "We will call you back tomorrow before noon.",
        "You will have our answer within {n} working days.",
        "We will contact you before the end of today.",
        "A technician will visit you tomorrow afternoon.",
    ],
)
FOLLOW_UPS = (
    ["还没解决，麻烦再看看。", "没有人联系我。", "情况还是一样。", "补充一下：问题晚上更严重。"],
    ["It is still not solved.", "Nobody contacted me.", "The same as before.", "To add: it is worse in the evening."],
)
ACKNOWLEDGEMENT = (
    "【星渡通信】您的请求已收到，我们会尽快处理。",
    "[Xingdu Telecom] We have received your request and will answer soon.",
)
NOTES = (
    ["已查系统，转装维。", "客户情绪激动，注意话术。", "核对账单无误。", "等后台回单。"],
    [
        "Checked the system, passed to field work.",
        "Customer upset, mind the wording.",
        "Bill checked.",
        "Waiting for the back office.",
    ],
)
GOOD_COMMENTS = (
    ["服务很好，解决得快。", "态度不错，点赞。", "接通快，满意。", "师傅很专业。"],
    [
        "Quick and friendly.",
        "Very helpful, thank you.",
        "Short wait, good service.",
        "The technician was professional.",
    ],
)
BAD_COMMENTS = (
    ["等太久了，问题还没解决。", "推来推去，没人负责。", "态度冷淡。", "说了几遍都不明白。", "承诺的回电没有打来。"],
    [
        "Waited far too long and still not solved.",
        "Passed from one to the other.",
        "The agent was cold.",
        "Nobody called me back as promised.",
    ],
)


def expand(sentences: list[str], rng: np.random.Generator, english: bool, copies: int = 14) -> list[str]:
    """Fill the slots of each sentence several times; those without a slot come once."""
    filled: list[str] = []
    for sentence in sentences:
        for _ in range(copies if "{" in sentence else 1):
            place = PLACES_EN[int(rng.integers(len(PLACES_EN)))] if english else PLACES[int(rng.integers(len(PLACES)))]
            filled.append(
                sentence.format(
                    n=int(rng.integers(2, 10)), a=int(rng.integers(3, 60)) * 5 - int(rng.integers(0, 2)), p=place
                )
            )
    return filled
