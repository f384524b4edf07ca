"""How surnames are read: what a general table of characters gets wrong.

Facts about the language, gathered by hand: the reading that bearers of the surname use comes first,
others that some of them use follow. What is read in a name as everywhere else needs no line here.
"""

from collections.abc import Mapping
from typing import Final

_SINGLE = """
    艾:ai 柏:bai,bo 薄:bo 贲:ben,bi 秘:bi,mi 卜:bu 参:shen,can 岑:cen 曾:zeng 查:zha 单:shan
    长:chang,zhang 晁:chao 朝:chao 车:che 谌:chen,shen 晟:cheng,sheng 郗:chi,xi 种:chong 重:chong
    仇:qiu 褚:chu 啜:chuai 爨:cuan 大:da 但:dan 澹:tan 德:de 邸:di 第:di 都:du 堵:du 度:du,duo
    顿:dun 多:duo 佛:fo 费:fei,bi 宓:mi,fu 冯:feng 干:gan 盖:ge,gai 葛:ge 句:gou,ju 勾:gou
    缑:gou 妫:gui 炅:gui,jiong 炔:gui 过:guo 呙:guo,wo 哈:ha 撖:han 行:xing 郝:hao 合:he 和:he
    黑:he,hei 赫:he 红:hong 后:hou 华:hua 还:huan 桓:huan 会:hui,kuai 郇:xun,huan 嵇:ji 丌:ji,qi
    纪:ji 济:ji 祭:zhai,ji 稽:ji 籍:ji 贾:jia 郏:jia 翦:jian 将:jiang 强:qiang,jiang 矫:jiao
    教:jiao 角:jue,jiao 解:xie 靳:jin 景:jing 隽:juan,jun 圈:juan 觉:jue 俱:ju 沮:ju 鞠:ju
    阚:kan 隗:wei,kui 蒯:kuai 乐:yue,le 雒:luo 勒:le 郦:li 蔺:lin 令:ling 六:lu,liu 陆:lu 逯:lu
    吕:lv 绿:lv 率:lv,shuai 律:lv 闾:lv 麻:ma 万:wan 茆:mao 么:yao 幺:yao 蒙:meng 弭:mi 糜:mi
    芈:mi 缪:miao,mou,miu 乜:nie 牟:mu,mou 母:mu 那:na,nuo 佴:nai 能:nai,neng 难:nan 粘:nian
    宁:ning 甯:ning 钮:niu 区:ou 逄:pang 繁:po,fan 朴:piao,pu 溥:pu 濮:pu 蒲:pu 其:qi 奇:qi
    亓:qi 戚:qi 齐:qi 郄:qie,xi 郤:xi,qie 覃:qin,tan 瞿:qu 曲:qu 璩:qu 麴:qu 蘧:qu 阙:que 冉:ran
    任:ren 阮:ruan 撒:sa 色:se,she 沙:sha 厍:she 折:she 佘:she 舍:she 召:shao,zhao 少:shao
    莘:shen,xin 沈:shen 盛:sheng 石:shi 殳:shu 帅:shuai 睢:sui 眭:sui 隋:sui 宿:su 台:tai 邰:tai
    遆:ti 仝:tong 佟:tong 钭:tou 涂:tu 庹:tuo 拓:tuo 韦:wei 尉:wei,yu 蔚:yu,wei 毋:wu 洗:xian
    冼:xian 鲜:xian 相:xiang 肖:xiao 校:jiao,xiao 辛:xin 省:xing 胥:xu 许:xu 荀:xun 燕:yan
    叶:ye 弋:yi 衣:yi 殷:yin 尹:yin 应:ying 庾:yu 于:yu 於:yu 俞:yu 郁:yu 员:yun 恽:yun 昝:zan
    臧:zang 藏:zang 笮:ze 翟:zhai,di 占:zhan 仉:zhang 甄:zhen 中:zhong 竺:zhu 禚:zhuo 訾:zi
"""

_COMPOUND = """
    爱新觉罗:ai.xin.jue.luo 安陵:an.ling 百里:bai.li 褚师:chu.shi 淳于:chun.yu 单于:chan.yu
    长孙:zhang.sun 樗里:chu.li 澹台:tan.tai 达奚:da.xi 第五:di.wu 东方:dong.fang 东郭:dong.guo
    东里:dong.li 东门:dong.men 独孤:du.gu 端木:duan.mu 段干:duan.gan 尔朱:er.zhu 范姜:fan.jiang
    富察:fu.cha 哥舒:ge.shu 公良:gong.liang 公孙:gong.sun 公西:gong.xi 公羊:gong.yang
    公冶:gong.ye 谷梁:gu.liang 瓜尔佳:gua.er.jia 毌丘:guan.qiu 贺兰:he.lan 赫连:he.lian
    赫舍里:he.she.li 呼延:hu.yan 斛律:hu.lv 皇甫:huang.fu 即墨:ji.mo 夹谷:jia.gu 沮渠:ju.qu
    可频:ke.pin 厍狄:she.di 梁丘:liang.qiu 令狐:ling.hu 闾丘:lv.qiu 慕容:mu.rong 万俟:mo.qi
    纳兰:na.lan 那拉:na.la 南宫:nan.gong 南门:nan.men 南荣:nan.rong 钮祜禄:niu.hu.lu
    欧阳:ou.yang 濮阳:pu.yang 漆雕:qi.diao 亓官:qi.guan 綦毋:qi.wu 乞伏:qi.fu 屈突:qu.tu
    壤驷:rang.si 上官:shang.guan 申屠:shen.tu 司空:si.kong 司寇:si.kou 司马:si.ma 司徒:si.tu
    太史:tai.shi 太叔:tai.shu 拓跋:tuo.ba 完颜:wan.yan 微生:wei.sheng 闻人:wen.ren 巫马:wu.ma
    西门:xi.men 夏侯:xia.hou 鲜于:xian.yu 相里:xiang.li 轩辕:xuan.yuan 羊舌:yang.she
    耶律:ye.lv 叶赫:ye.he 叶赫那拉:ye.he.na.la 宇文:yu.wen 尉迟:yu.chi 乐正:yue.zheng
    宰父:zai.fu 张简:zhang.jian 钟离:zhong.li 仲孙:zhong.sun 诸葛:zhu.ge 朱邪:zhu.ye
    颛孙:zhuan.sun 子车:zi.ju 宗政:zong.zheng 左丘:zuo.qiu
"""

LONGEST_SURNAME: Final = 4

# In simplified characters, as folded names are.
SURNAMES: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    **{
        surname: (tuple(written.split(",")),)
        for surname, _, written in (entry.partition(":") for entry in _SINGLE.split())
    },
    **{
        surname: tuple((syllable,) for syllable in written.split("."))
        for surname, _, written in (entry.partition(":") for entry in _COMPOUND.split())
    },
}
"""For each surname, character by character, its readings, the usual one first."""


def surname_readings(han: str) -> tuple[tuple[str, ...], ...]:
    """Return the readings of the surname that a name begins with, character by character.

    ``han`` is the name in folded Chinese characters. The longest surname counts; there is none
    for a name that begins as everything else is read.
    """
    for length in range(min(LONGEST_SURNAME, len(han)), 0, -1):
        found = SURNAMES.get(han[:length])
        if found is not None:
            return found
    return ()
