"""Names for the sample corpus: parts that are put together, kind by kind.

Apart from a handful of public names (big cities, countries, ministries) nothing here names
anyone or anything: people, firms, places and titles are composed at random.
"""

import zlib
from collections.abc import Callable, Sequence
from random import Random


def words(text: str) -> list[str]:
    """The words of a list written with spaces."""
    return text.split()


STEM_FIRST = (
    "云青长新清明东南西北金银玉石松柏竹梅安永和平泰兴华文景瑞祥龙凤鹤鹿白黄红星月天海临望远高宏盛"
)
STEM_SECOND = "岭河宁泽溪原川阳陵峰林丰庆昌康达源泉港湾桥台城塘浦澜霞岚岩禾信诚辉朗图腾"
CITIES = words("北京 上海 广州 深圳 成都 武汉 南京 西安 杭州 重庆 天津 苏州")
COUNTRIES = words("美国 日本 法国 德国 英国 韩国 俄罗斯 巴西")
AREAS = words("市 市 县 区 镇 省 乡 村")
STREETS = words("路 街 大道 巷 胡同 东路 西路 北街 新村 小区 花园")

SURNAMES = list(
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡"
)
SURNAMES += words("欧阳 司马 上官 诸葛 慕容 夏侯")
GIVEN = list(
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛超秀霞平刚桂英华玉兰建志明文斌海燕晓东春梅雪晨子轩雨涵思远浩然嘉欣佳怡"
)
GIVEN += list("宏俊峰凯鹏飞婷慧颖莉琳瑶晶楠博睿哲瀚泽宁安康乐天成启航卓立")
FOREIGN = list("克斯尔罗德曼尼托安维拉菲特里卡洛奇伯恩诺丹莫雷帕蒂布鲁西加奥夫迪埃森格哈顿纳")
LATIN = words("Nor Vex Tel Lum Cor Zen Aro Dyn Qui Sol Mer Tra Bel Kin Ova Ryn Dal Fen Hux Ilo")

INDUSTRIES = words(
    "科技 电子 软件 传媒 地产 汽车 制药 食品 能源 物流 证券 保险 航空 家电 钢铁 服饰 通信 网络 "
    "化工 乳业 影业 环保 生物 重工"
)
FIRMS = words("有限公司 公司 集团 股份有限公司 控股 集团公司 分公司")

ORGANS = words(
    "公安局 教育局 财政局 卫生局 环保局 规划局 工商局 税务局 气象局 交通局 水利局 住建局 人民政府 "
    "政府 法院 检察院 民政局 统计局 体育局 旅游局 市场监管局 纪委 人大常委会 交警支队 城管局"
)
MINISTRIES = words("外交部 教育部 商务部 公安部 财政部 国务院 海关总署 国家统计局")

SIGHTS = words(
    "山 湖 公园 寺 塔 古镇 峡谷 瀑布 岛 森林公园 风景区 博物馆 草原 海滩 湿地 溶洞 水库 老街 温泉 "
    "植物园 动物园 书院 石窟 雪山 遗址 大桥 广场"
)

TEAMS = words("队 队 足球队 女排 男篮 俱乐部 足球俱乐部 战队 联队")
SCHOOLS = words("大学 大学 师范大学 理工学院 中学 小学 职业学院 医院 人民医院 研究所 研究院 图书馆")
SOCIETIES = words(
    "协会 商会 基金会 学会 联盟 登山协会 作家协会 环保协会 志愿者协会 消费者协会 合唱团 乐队 "
    "摄影协会 交响乐团 车友会 行业协会"
)
BODIES = words("联合国 欧盟 世界银行 国际足联 世卫组织")

POSTS = {
    "mayor": words("市长"),
    "local": words("市长 县长 区长 镇长 省长 州长 村支书"),
    "gov": words("局长 处长 秘书长 发言人 科长 书记 主任 巡视员 政委"),
    "biz": words("经理 总经理 董事长 总裁 首席执行官 CEO CFO 总监 合伙人 分析师 工程师 会计 顾问"),
    "edu": words("教授 讲师 研究员 院长 校长 主任医师 护士长 辅导员 博士生导师 教务长"),
    "sport": words("主教练 教练 队长 门将 前锋 中场 后卫 领队 队医 助理教练 球探"),
    "art": words("记者 编辑 主编 导演 编剧 制片人 作家 歌手 演员 摄影师 主持人 画家 设计师"),
    "trade": words("司机 保安 厨师 律师 导游 店长 快递员 民警 消防员 医生 护士 教师 收银员"),
}
POST_FIELDS = words("市场 技术 产品 财务 运营 人事 客服 品牌 采购 销售 公关 研发")
POST_ENDS = words("总监 经理 主管 专员 副总裁 顾问")
POST_RANKS = {
    "mayor": ["副", "常务副", "代理", "前任", "现任", "老"],
    "local": ["副", "常务副", "代理"],
    "gov": ["副", "常务副", "代理"],
    "biz": ["副", "高级", "首席", "执行"],
    "edu": ["副", "名誉", "客座"],
    "sport": ["副", "首席", "替补"],
    "art": ["资深", "首席", "特约", "青年"],
    "trade": ["资深", "见习", "女", "老"],
}

TITLE_FIRST = words(
    "沉默 黑夜 孤独 最后 远方 破碎 迷失 蓝色 燃烧 遗忘 无声 逆光 流浪 永恒 隐秘 北方 午夜 冰封 "
    "荒野 苍白 深海 盛夏 透明 古老 失控 微光"
)
TITLE_SECOND = words(
    "花园 城堡 证词 旅人 河流 钟声 来信 王座 森林 星辰 列车 灯塔 约定 边境 影子 迷宫 猎人 战纪 "
    "骑士 海岸 王国 回声 少年 契约 剧院 岛屿 黎明 航线 荣耀 部落"
)


class Names:
    """Draws names that belong to one split only, bar the public ones.

    Stems, full names of people, titles and composed posts (副教授) each belong to the split that
    their checksum says; plain posts (教授) belong to all. Whatever is composed on a stem goes
    with the stem. So a name of the test set is unlike those of the training set although it is
    made of the same characters.

    rng (Random): Where chance comes from.
    split (str): "train", "dev" or "test".
    n_stems (int): How many place and brand stems the split knows: few enough that one stem
        turns up as a town, a team and a firm.
    """

    def __init__(self, rng: Random, split: str, n_stems: int):
        self.rng = rng
        self.split = split
        stems = [a + b for a in STEM_FIRST for b in STEM_SECOND if split_of(a + b) == split]
        self.stems = rng.sample(stems, n_stems)

    def draw(self, label: str, kind: str) -> str:
        """A name for a slot `{label/kind}`; without a kind, any that suits the label."""
        method: Callable[[str], str] = getattr(self, f"_{label}")
        return method(kind)

    def _address(self, kind: str) -> str:
        kind = kind or self._weighted("area area city street full bare country")
        if kind == "country":
            return self._one(COUNTRIES)
        if kind == "bare":
            return self._stem()
        if kind == "city":
            return self._one(CITIES)
        if kind == "town":
            return self._stem() + "市"
        if kind == "area":
            return self._stem() + self._one(AREAS)
        street = self._stem() + self._one(STREETS)
        if self.rng.random() < 0.5:
            street += f"{self.rng.randint(1, 320)}号"
        if kind == "street":
            return street
        return self._address(self._weighted("area area city")) + street

    def _name(self, kind: str) -> str:
        kind = kind or self._weighted("full full full full full foreign foreign latin some")
        if kind == "some":
            return self._one(SURNAMES) + "某"
        if kind == "latin":
            return self._latin()
        if kind == "foreign":
            return self._own(self._foreign)
        return self._own(self._chinese_name)

    def _company(self, kind: str) -> str:
        kind = kind or self._weighted("full full brand brand brand bank latin")
        if kind == "bare":
            return self._stem()
        if kind == "latin":
            return self._latin()
        if kind == "bank":
            return self._stem() + "银行"
        brand = self._stem() + self._one(INDUSTRIES)
        if kind == "brand":
            return brand
        place = self._weighted("- - city stem")
        prefix = {"-": "", "city": self._one(CITIES), "stem": self._stem() + "市"}[place]
        return prefix + brand + self._one(FIRMS)

    def _book(self, kind: str) -> str:
        return self._title() if kind == "bare" else f"《{self._title()}》"

    def _movie(self, kind: str) -> str:
        return self._book(kind)

    def _game(self, kind: str) -> str:
        kind = kind or self._weighted("quoted bare latin online")
        if kind == "quoted":
            return f"《{self._title()}》"
        if kind == "bare":
            return self._title()
        if kind == "online":
            return self._title() + self._one(["OL", "Online", "2", "3", "手游"])
        if self.rng.random() < 0.4:
            return self._latin() + self._one(["", "2", "3", "Online"])
        return self._own(self._abbreviation)

    def _government(self, kind: str) -> str:
        if kind == "ministry":
            return self._one(["", "", *COUNTRIES]) + self._one(MINISTRIES)
        place = self._weighted("area area area city bare")
        return self._address(place) + self._one(ORGANS)

    def _scene(self, kind: str) -> str:
        return self._stem() + self._one(SIGHTS)

    def _organization(self, kind: str) -> str:
        kind = kind or self._weighted("team school society society school body")
        if kind == "bare":
            return self._stem()
        if kind == "latin":
            return self._latin()
        if kind == "body":
            return self._one(BODIES)
        place = self._one(CITIES) if self.rng.random() < 0.15 else self._stem()
        return place + self._one({"team": TEAMS, "school": SCHOOLS, "society": SOCIETIES}[kind])

    def _position(self, kind: str) -> str:
        kind = kind or self._one(list(POSTS))
        chance = self.rng.random()
        if chance < 0.45:
            return self._one(POSTS[kind])
        if kind == "biz" and chance < 0.75:
            return self._own(lambda: self._one(POST_FIELDS) + self._one(POST_ENDS))
        posts = [post for post in POSTS[kind] if not post.isascii()]
        return self._own(lambda: self._one(POST_RANKS[kind]) + self._one(posts))

    def _title(self) -> str:
        return self._own(self._any_title)

    def _any_title(self) -> str:
        first, second, third = self._one(TITLE_FIRST), *self.rng.sample(TITLE_SECOND, 2)
        shapes = [
            f"{first}{second}",
            f"{first}的{second}",
            f"{second}之{third}",
            f"{second}与{third}",
            f"{first}{second}的{third}",
            f"{second}往事",
            f"{self._one(GIVEN)}{self._one(GIVEN)}传",
        ]
        return self._one(shapes)

    def _chinese_name(self) -> str:
        given = self.rng.sample(GIVEN, 1 if self.rng.random() < 0.25 else 2)
        return self._one(SURNAMES) + "".join(given)

    def _foreign(self) -> str:
        name = "".join(self.rng.sample(FOREIGN, self.rng.randint(2, 4)))
        if self.rng.random() < 0.3:
            name += "·" + "".join(self.rng.sample(FOREIGN, self.rng.randint(2, 3)))
        return name

    def _latin(self) -> str:
        return self._own(lambda: "".join(self.rng.sample(LATIN, 2)).capitalize())

    def _abbreviation(self) -> str:
        letters = "".join(self.rng.sample("ABCDEFGHKLMNPRSTWXZ", 2))
        return letters + self._one(["OL", "2", "12", "S", "Q4", "X"])

    def _stem(self) -> str:
        return self._one(self.stems)

    def _own(self, compose: Callable[[], str]) -> str:
        """Compose until the name is one of this split's."""
        name = compose()
        while split_of(name) != self.split:
            name = compose()
        return name

    def _one(self, options: Sequence[str]) -> str:
        return self.rng.choice(options)

    def _weighted(self, kinds: str) -> str:
        return self.rng.choice(kinds.split())


def split_of(name: str) -> str:
    """The split that a composed name belongs to, the same on every machine."""
    bucket = zlib.crc32(name.encode("utf-8")) % 10
    return "test" if bucket < 3 else "dev" if bucket < 5 else "train"
