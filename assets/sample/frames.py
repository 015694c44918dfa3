"""Sentence frames of the sample corpus.

`{label}` is a slot for a name of that label, `{label/kind}` one for a kind of name (see
names.py); `=1` marks slots that share one surface, whatever their labels. `{@filler}` is
replaced by a word of FILLERS and is part of no entity. Job titles and names that are meant to
be entities stand in slots only: what is written out is never one.
"""

from names import words

FILLERS = {
    "time": words(
        "今天 昨日 昨晚 上周三 本月初 去年底 前天下午 2008年 2011年 3月15日 12月初 周末 今年夏天 "
        "早上8点 国庆期间"
    ),
    "people": words("网友 市民 游客 居民 家长 读者 观众 学生 专家 同事 邻居 乘客 粉丝 老人"),
    "num": words("3 5 12 20 36 48 100 260 800 1500 两 三 十几 近百 上千"),
    "money": words("300元 5万元 1.2亿元 800万元 两千多元 30亿美元 几百块钱 4999元 百万元"),
    "mood": words("非常满意 十分遗憾 很意外 有点失望 特别激动 相当谨慎 并不认同 很能理解 倍感压力"),
    "thing": words("洗衣机 手机 雨伞 蛋糕 自行车 旧书 合同 行李 礼物 照片 钥匙 电脑"),
    "topic": words("防汛工作 安全生产 垃圾分类 食品安全 春季招生 交通管制 道路施工 节约用水 控烟"),
    "event": words("火灾 车祸 停电 暴雨 地震 纠纷 爆炸 盗窃案 塌方 食物中毒"),
    "act": words("签约 道歉 辞职 开会 领奖 晨跑 直播 拍照 排队 值班 讲课 加班"),
    "score": words("2比1 3比0 1比1 98比92 0比2 4比3 88比80"),
    "adj": words("古老的 美丽的 热闹的 陌生的 巨大的 安静的 漂亮的 神秘的"),
    "first": words("沉默 黑夜 孤独 远方 破碎 蓝色 燃烧 古老 透明 微光"),
    "second": words("花园 城堡 河流 钟声 森林 星辰 列车 灯塔 影子 迷宫 少年 黎明"),
}

PREFIXES = words(
    "据悉， {@time}， 据报道， 有{@people}反映， 值得一提的是， 另外， 不过， 消息称， 我听说， "
    "说实话， 【快讯】 转： 与此同时， 出人意料的是， 但是 而且 目前，"
)
TAILS = words(
    "，引起{@people}的关注 ，让人{@mood} ，大家都{@mood} ，花了{@money} ，前后只用了{@num}天 "
    "，详情请看下文 ，具体原因还在调查 ，{@people}对此{@mood} ，现场来了{@num}名{@people} "
    "，我觉得不错 ，谁知道呢 ，其他的以后再说 ，希望大家支持 ，这是{@num}年来的第一次 "
    "，{@people}们议论纷纷 ，有图有真相"
)
ENDS = words("。 。 。 。 ！ ？ ， … -")
BARE_ENDS = 3  # of so many sentences, one has no mark at its end

ONE_LABEL = {
    "address": words("""
{@time}，{address}发生一起{@event}
我家住在{address}，出门很方便
从{address}坐车到{address}要{@num}个小时
{address}今天又下雨了
{address/bare}的冬天特别冷
想在{address/bare}买房，{@money}一平够吗
救护车赶到{address/street}时，路口已经堵死
店铺地址：{address/full}
{address}和{address}之间的高速公路{@time}通车
{@people}在{address/street}附近捡到{@thing}
老家{address}，现居{address}
去{address/bare}旅游应该带什么
{address}地区的房价涨了{@num}倍
有没有{address}的朋友，一起拼车
{address/country}签证好办吗
产品远销{address/country}、{address/country}等地
寄到{address/full}的包裹丢了
{address/area=1}人都知道，{address/area=1}的面最好吃
暴雨袭击{address}，{@num}户{@people}转移
求{address/street}一带的出租房
火车路过{address/bare}，转车去{address/area}
他出生于{address}
{address/area}下辖{address/area}等{@num}个乡镇
"""),
    "book": words("""
{@time}读完了{book}，心里久久不能平静
{book}是他写得最好的一部小说
这本{book}定价{@money}，已经加印{@num}次
书店里{book}卖断货了
求{book}的全文下载，txt格式的
长篇小说{book}由出版社推出单行本
推荐大家读一读{book}，文笔很好
{book}第{@num}章写得真好
我把{book/bare}翻了{@num}遍，书都快散了
小说{book/bare}的结尾太仓促
网络小说{book/bare}完本了吗
翻译{book}花了他{@num}年时间
{book}的封面设计得很别致，纸张也好
她在书里提到过{book}和{book}
{book=1}看完了，{book=1}的下册什么时候出版
签名本{book}拍出{@money}
{book}入选中小学必读书目
手抄{book}，练字又静心
新书{book}首印{@num}万册
睡前翻几页{book}
"""),
    "company": words("""
{company}发布财报，营收增长{@num}%
{company}股价{@time}大跌
{company/bare}股价创下新高，市值超过{@money}
{company/bare}在香港上市，募资{@money}
在{company}上班是什么体验
{company}宣布裁员{@num}人
买了{company}的股票，亏了{@money}
{company/latin}推出新款{@thing}，售价{@money}
{company}与{company}签署合作协议
{company}收购{company}，作价{@money}
{company}的售后太差了，{@thing}修了{@num}次
投资者起诉{company}信息披露违规
{company/brand}、{company/brand}和{company/latin}三家中标
应聘{company}，面试了{@num}轮
信用卡是{company/bank}的，额度{@money}
去{company/bank}取钱排了{@num}个号
{company/bank=1}降息了，{@people}连夜到{company/bank=1}转存
{company/bare}旗下子公司{company}被罚{@money}
债主堵在{company}门口
竞争对手{company/bare}也降价了
{company}召回{@num}万台{@thing}
"""),
    "game": words("""
{@time}，{game}开放公测，玩家挤爆服务器
玩{game}玩到凌晨三点
{game}里的副本太难了，求带
{game}新版本更新了{@num}张地图
网游{game}封停{@num}个外挂账号
我的{game}账号被盗了，装备全没了
{game/bare}这个职业怎么加点，刚练到{@num}级
打{game/bare}需要什么显卡
手游{game}登上下载榜首位
{game}公会招人，要求{@num}级以上
{game/latin}和{game/latin}哪个好玩
单机游戏{game}的攻略在哪里找
{game/latin=1}开新服了，老玩家回{game/latin=1}有礼包
周末在网吧联机{game}
卸载{game}以后，终于能早睡了
{game}资料片{@time}上线，新增{@num}个关卡
一到{game}里就卡，帧数不到{@num}
Windows10下运行{game}会闪退
{game}的画面和手感都不错，推荐入手
充了{@money}在{game}里，什么也没抽到
"""),
    "government": words("""
{government}{@time}发布通报
{government}提醒{@people}注意{@topic}
{government}公布{@topic}方案
{government/ministry}发言称，对此{@mood}
记得带身份证去{government}办手续
{government}已介入调查
{@people}向{government}投诉，得到答复
根据{government}的数据，去年增长{@num}%
{government}和{government}联合执法
{government}开出{@money}罚单
{government}回应：情况属实
由{government}牵头，开展{@topic}检查
{government}门口围了{@num}名{@people}
{government}发言称，{@topic}不能放松
案件已移送{government}
{government=1}的电话打不通，只好跑一趟{government=1}
{government}印发《关于做好{@topic}的通知》
{government}拟投入{@money}用于{@topic}
{government}官网挂出公告
把材料交到{government}窗口
"""),
    "movie": words("""
{@time}去影院看了{movie}
{movie}票房突破{@money}
{movie}定档{@time}，预告片曝光
电影{movie/bare}的配乐太美了
{movie}在电影节上获得{@num}项提名
影片{movie/bare}时长{@num}分钟，有点拖沓
{movie}首映礼，{@num}家影院同步放映
好莱坞大片{movie}引进了，3D版票价{@money}
{movie}的特效值得{@num}星
熬夜看完{movie}的蓝光版
{movie=1}的续集开机了，{movie=1}当年可是票房冠军
看哭了，{movie}的最后一个镜头
{movie}讲的是什么，片尾彩蛋看不懂
{movie}和{movie}同一天上映
喜剧片{movie}全国公映
院线排片里{movie}只有{@num}场
纪录片{movie}在影展放映
老片{movie}修复版重映
下载{movie}高清版，国语字幕
"""),
    "name": words("""
{name}{@time}在家中去世
{name}说，他{@mood}
我同学{name}也来了
{name}：“我{@mood}。”
{name}和{name}同龄，今年{@num}岁
{name}今年{@num}岁，平时爱{@act}
嫌疑人{name/some}已被抓获
受害者{name/some}称，{@thing}被骗走
{name}哭着跑了出去
本文的主人公叫{name}
{name=1}不在，有事给{name=1}留言
祝{name}生日快乐
{name}把{@thing}递给{name}
大家好，我叫{name}
{name/latin}的中文说得真好
{name/foreign}破门，全场沸腾
感谢{name}、{name}、{name}三位老师
{name}微博晒出{@thing}照片
{@people}都认得{name}
听{name}讲过去的事
采访了{name}的妻子
{name}打来电话说要{@act}
"""),
    "organization": words("""
{organization}成立{@num}周年
{organization/team}客场{@score}取胜
{organization/bare}{@score}击败{organization/bare}，晋级决赛
{organization/bare}主场{@score}战平{organization/bare}
{organization/latin}战队夺冠，奖金{@money}
{organization/team=1}换帅后连胜{@num}场，{organization/team=1}球迷沸腾
考上{organization/school}是他的梦想
毕业于{organization/school}，工作{@num}年
{organization/society}呼吁{@people}关注{@topic}
{organization/society}捐款{@money}
{organization}招聘{@num}人
{organization}举办讲座，来了{@num}名{@people}
在{organization/school}住院{@num}天
上半场{organization/bare}踢得很保守，射门只有{@num}次
支持{organization/bare}，这个赛季要保级
加入{organization/society}要交{@money}会费
{organization/body}发布报告，谈到{@topic}
{organization/school}和{organization/school}哪个分数线高
{organization/school}研究发现，每天{@act}有益健康
{organization/team}落后{organization/team}{@num}分
转会{organization/bare}，身价{@money}
"""),
    "position": words("""
做{position}太累了，{@mood}
他是一名{position}，每天{@act}
招聘{position}{@num}名，月薪{@money}
一位{position}告诉我们，{@topic}很重要
从{position}做到{position}，他用了{@num}年
她的理想是当{position/art}
{position}忙着{@act}
不愿透露姓名的{position}说
{position}和{position}吵了起来
刚毕业就升{position/biz}，凭什么
当值{position}吹了{@num}次哨
我们{position/biz}天天让大家加班
他辞去{position}一职
聘请{position}{@num}人
这个{position=1}不像{position=1}
{position/trade}们{@time}凌晨就开始{@act}
被任命为{position/local}
向{position}请教{@topic}的问题
{position}在接受采访时{@mood}
兼任{position}和{position}
"""),
    "scene": words("""
{@time}去{scene}玩，门票{@money}
{scene}位于山谷之中，是{@adj}风景
{scene}的日出很美
{scene}接待游客{@num}万人次
爬{scene}要{@num}个小时
{scene}门口的小吃很贵
{scene}和{scene}都值得一去
推荐路线：{scene}—{scene}—{scene}
在{scene}拍了{@num}张照片
{scene}因{@event}临时关闭
{scene}申报世界遗产
{@people}在{scene}{@act}
{scene=1}下雪了，{scene=1}美如仙境
到了{scene}脚下，雾还没散
夜游{scene}，灯光{@adj}倒影
国庆去{scene}人山人海
{scene}免费开放
修缮{scene}花费{@money}
游{scene}记
"""),
}

SEVERAL_LABELS = words("""
{company}{position/biz}{name}表示{@mood}
{company}{position/biz}{name}、{position/biz}{name}出席活动
{name}出任{company}{position/biz}
{name}（{company}{position/biz}）{@mood}
{government}{position/gov}{name}在会上通报了{@topic}情况
{address/town}{position/mayor}{name}到{address/area}调研
{address/town}{position/mayor}对此{@mood}
据{government}{position/gov}介绍，{address}{@event}已处置完毕
{organization/school}{position/edu}{name}认为，{@topic}很有必要
{organization/school}{position/edu}{name}著有{book}一书
{organization/team}{position/sport}{name}赛后{@mood}
{organization/bare}{position/sport}{name}梅开二度，{@score}
{organization/bare}在{address/bare}{@score}取胜
{name/foreign}帮助{organization/bare}{@score}逆转，{name/foreign}受伤离场
{position/art}{name}执导的{movie}{@time}上映
{name}主演的{movie}在{address}开机
{movie}由{company}出品，{position/art}是{name}
{movie}根据{name}的小说{book}改编
{movie=1}改编自同名小说{book=1}
先看电影{movie/bare=1}，再读小说{book/bare=1}，味道不同
电影{movie=1}还没上映，游戏{game/quoted=1}先公测了
玩过游戏{game/bare=1}的人，不一定看过小说{book/bare=1}
{name}的{book}读完，{@people}{@mood}
{name}凭{movie}拿到奖杯
{company}开发的{game}{@time}公测
{company}代理的网游{game}将停服，玩家{@mood}
{game}由{company/latin}制作，登陆PS4
{company/latin=1}做的{game}卖了{@num}万套，{company/latin=1}股价大涨
{name/latin}在{company/latin}当{position/biz}
{organization/latin}选手{name/latin}打{game}{@num}年了
{scene}在{address/area}，开车{@num}小时
{address/area}的{scene}和{scene}都不错
从{address}出发，经{address}，最后到{scene}
家住{scene}旁边的{address/street}
{name}在{scene}{@act}
{scene}{position/trade}{name}介绍，{@time}游客增加{@num}%
{address}警方：{name/some}在{address/street}被抓获
{address}一名{position/trade}捡到{@thing}，交给{government}
{position/trade}{name}每天清晨在{address/street}{@act}
{position/trade}{name}救起{@num}名落水{@people}
{government}对{company}罚款{@money}
{government}约谈{company}，{position/biz}当场道歉
{company}总部从{address}迁到{address}
{company}{address}分店{@time}开业
{company}向{organization}捐赠{@money}
{organization/society}{position}{name}呼吁关注{@topic}
{name}，{address}人，{@num}岁，{organization/school}毕业
{name}毕业于{organization/school}，曾任{government}{position/gov}
{address/country}{position/sport}{name/foreign}加盟{organization/team}
{government/ministry}就{address/country}{@event}发表声明
本报{position/art}{name}{address}报道
{position/art}{name}、{position/art}{name}
{address/bare=1}下雪了，{organization/bare=1}主场比赛延期
{company/bare=1}股价下跌，{organization/bare=1}却{@score}赢了球
{address/bare=1}这座小城，养出了{company/bare=1}这样的上市企业
{name}先后在{company}、{company}担任{position/biz}
{name}、{name}等{@num}人到{scene}{@act}
{name}花{@money}买下{company}的股票
{organization/school}在{address/full}，离{scene}很近
{organization/school}旁边开了家{company/bank}
{name}为{book}写序，{name}作画
{position/art}{name}新书{book}在{address}首发
{book}里写到的{scene}，我{@time}去了
{movie}在{scene}取景，带火了{address/area}
{name}带着{@thing}从{address}来到{organization/school}求医
{organization/school}{position/edu}对此{@mood}
{company}聘请{organization/school}{position/edu}{name}为{position/biz}
{organization/team}与{company}签约，{@money}冠名
{government}{@time}在{scene}开展{@topic}宣传
{game}职业联赛在{address}开打，{organization/latin}{@score}胜{organization/latin}
{name}说：“{address}是我的家乡，{scene}是我小时候玩的地方”
{position}{name}告诉{position/art}，{@event}发生在{@time}
{@time}，{company}{position/biz}{name}在{address/area}与{government}{position/gov}{name}会面，谈了{@topic}
{name}原是{organization/school}{position/edu}，后来到{company}做{position/biz}，如今在{address/area}开书店
{position/art}{name}说，写{book}那几年，他住在{scene}脚下，天天去{address/street}买菜
{@people}给{government}写信，说{address/street}的路灯坏了{@num}天，{position/trade}们夜里看不清路
周末先去{scene}，再到{address/area}看{organization/team}的比赛，晚上回家玩{game}
{company}请来{name/foreign}为{game}配音，他演过{movie}，也在{organization/society}当过{position}
{address/bare=1}的{@people}都支持{organization/bare=1}，连{position/trade}也在聊昨晚的{@score}
""")

NO_LABEL = words("""
这家公司的经理人制度{@mood}
{@time}，我在家{@act}
公园里人很多，大家都在{@act}
电影票又涨价了，一张{@money}
游戏玩多了伤眼睛，{@people}要注意
总监办公室在{@num}楼，经理办公室在隔壁
给我来一份律师函的模板
{@time}是教师节，给老师买了{@thing}
夜里能看见{@first}的{@second}
{@first}{@second}什么的，听起来就{@mood}
{@adj}{@second}让人{@mood}
系统装的Windows10，内存{@num}G
电脑重装WindowsXP要{@money}
用Excel2007做表，第{@num}列出错了
《关于做好{@topic}的通知》已经下发
《{@topic}管理办法》{@time}起施行
请把《{@topic}承诺书》打印{@num}份
{@topic}，人人有责
{@people}的{@thing}丢了，找了{@num}天
下雨天别忘了带{@thing}
这条山路走了{@num}年，{@mood}
大学城附近的书店关门了
去银行卡里存了{@money}
市长热线打了{@num}次都占线
院长信箱里全是{@people}的信
编辑部搬家了，大家{@mood}
导演剪辑版比公映版长{@num}分钟
司机端的软件又闪退
职业经理人越来越多
网络游戏的防沉迷系统{@mood}
城市公园要不要收门票，{@people}{@mood}
足球俱乐部的日子都不好过
{@time}股市大跌，上市公司也没办法
湖边风很大，山上更冷
一队{@score}赢了二队，{@mood}
{@num}个{@people}在路口{@act}
有些小说看了开头就知道结尾
读书会每月{@num}次，带上{@thing}就行
电影节和图书节撞在一天
这部手机{@money}，值不值
银行排队{@num}分钟，{@mood}
他说自己{@mood}，我不信
{@adj}小镇里住着{@num}户人家
新村的路修好了，老街还没动
博物馆周一闭馆，动物园不闭馆
医院人太多，{@people}排了{@num}个小时
政府采购流程要{@num}天
局里的事别往外说
PS4手柄{@money}入手，成色不错
USB3接口坏了，修要{@money}
{@time}气温下降，出门{@act}多穿点
同城急转{@thing}，{@num}成新，{@money}
{@event}频发，{@people}{@mood}
谁有{@topic}的资料，发我一份
老板跑了，工资{@money}没结
球场上{@num}次射门都没进，太背了
记者证和教师资格证都要年审
主任医师的号{@money}一个，抢不到
星辰大海，灯塔与河流，都是诗里的词
在{@second}里迷路，{@mood}
""")
