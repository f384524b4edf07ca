"""Characters that are read in more than one way today, as they occur in names.

The general table knows every reading of two thousand years; these are the ones that somebody may
have in mind who reads a name from a list. The first is the one that names mostly have.
"""

from collections.abc import Mapping
from typing import Final

_READINGS = """
    阿:a 熬:ao 扒:ba,pa 把:ba 蚌:bang,beng 薄:bo,bao 堡:bao,bu,pu 暴:bao 背:bei 奔:ben 贲:ben,bi
    泌:mi,bi 便:bian,pian 别:bie 伯:bo,bai 柏:bai,bo 泊:bo,po 卜:bu,bo 参:can,shen,cen 藏:cang,zang
    曾:zeng,ceng 差:cha,chai,ci 查:cha,zha 刹:sha,cha 禅:chan,shan 单:dan,shan,chan 长:chang,zhang
    场:chang 朝:chao,zhao 车:che,ju 称:cheng,chen 盛:sheng,cheng 晟:sheng,cheng 乘:cheng,sheng
    澄:cheng,deng 匙:shi,chi 种:zhong,chong 重:chong,zhong 仇:chou,qiu 臭:chou,xiu 畜:xu,chu
    传:chuan,zhuan 椎:zhui,chui 绰:chuo 伺:ci,si 枞:cong,zong 攒:zan,cuan 大:da,dai 待:dai
    担:dan 石:shi,dan 弹:dan,tan 澹:dan,tan 得:de,dei 的:de,di 地:di,de 翟:zhai,di 佃:dian
    调:tiao,diao 丁:ding 都:du,dou 读:du,dou 度:du,duo 囤:tun,dun 盾:dun 恶:e,wu 发:fa 繁:fan,po
    坊:fang 菲:fei 分:fen 冯:feng,ping 佛:fo,fu 服:fu 甫:fu 脯:pu,fu 伽:jia,qie,ga 盖:gai,ge
    干:gan 杠:gang 镐:hao,gao 蛤:ge,ha 葛:ge 个:ge 给:gei,ji 更:geng 红:hong 汞:gong 句:ju,gou
    莞:wan,guan 冠:guan 观:guan 纶:lun,guan 广:guang 龟:gui,jun,qiu 柜:gui 桧:gui,hui 过:guo
    哈:ha 汗:han 行:xing,hang 巷:xiang,hang 号:hao 好:hao 浩:hao 和:he,huo 貉:he,hao 核:he
    荷:he 鹤:he 黑:hei 横:heng 虹:hong 鸿:hong 华:hua 滑:hua 划:hua 桦:hua 还:huan,hai 会:hui,kuai
    荟:hui 珲:hun,hui 混:hun 稽:ji,qi 奇:qi,ji 缉:ji,qi 祭:ji,zhai 济:ji 纪:ji 其:qi,ji 系:xi,ji
    期:qi,ji 夹:jia 家:jia 茄:qie,jia 贾:jia,gu 假:jia 价:jia 间:jian 监:jian 见:jian,xian
    槛:kan,jian 将:jiang 降:jiang,xiang 强:qiang,jiang 教:jiao 角:jiao,jue 觉:jue,jiao
    脚:jiao,jue 校:xiao,jiao 嚼:jue,jiao 皎:jiao 侥:jiao,yao 桔:ju,jie 节:jie 结:jie 颉:jie,xie
    解:jie,xie 藉:ji,jie 劲:jin,jing 禁:jin 靓:liang,jing 颈:jing,geng 且:qie,ju 咀:ju,zui
    卷:juan 隽:jun,juan 圈:quan,juan 倔:jue 钧:jun 均:jun 菌:jun 浚:jun,xun 筠:yun,jun 卡:ka,qia
    咖:ka,ga 楷:kai,jie 看:kan 咳:ke,hai 可:ke 壳:ke,qiao 空:kong 溃:kui,hui 括:kuo,gua
    腊:la,xi 蜡:la,zha 落:luo,la,lao 烙:lao,luo 姥:lao,mu 乐:le,yue 勒:le,lei 了:liao,le 累:lei
    丽:li 栗:li 俩:lia,liang 量:liang 凉:liang 琏:lian 潦:liao,lao 绿:lv,lu 率:lv,shuai
    露:lu,lou 六:liu,lu 陆:lu,liu 碌:lu,liu 笼:long 弄:nong,long 偻:lou,lv 洛:luo 络:luo,lao
    论:lun 埋:mai,man 脉:mai,mo 蔓:man,wan 芒:mang 氓:mang,meng 冒:mao,mo 没:mei,mo 么:me,yao
    糜:mi,mei 秘:mi,bi 眠:mian 靡:mi 模:mo,mu 摩:mo 磨:mo 抹:mo,ma 牟:mou,mu 缪:miao,mou,miu
    哪:na,nei 那:na,nei 娜:na,nuo 南:nan 难:nan 呢:ne,ni 宁:ning 粘:zhan,nian 尿:niao 女:nv
    区:qu,ou 胖:pang 炮:pao 喷:pen 片:pian 漂:piao 朴:pu,piao,po 屏:ping,bing 迫:po,pai 铺:pu
    仆:pu 瀑:pu 曝:pu,bao 蒲:pu 埔:pu,bu 圃:pu 栖:qi,xi 戚:qi 蹊:qi,xi 齐:qi 荠:ji,qi 茜:qian,xi
    铅:qian 乾:qian,gan 荨:xun,qian 纤:xian,qian 呛:qiang 翘:qiao 悄:qiao 切:qie 亲:qin 覃:qin,tan
    溱:qin,zhen 青:qing 曲:qu 瞿:qu,ju 雀:que 阙:que 任:ren 若:ruo 撒:sa 塞:sai,se 散:san 丧:sang
    色:se,shai 莎:sha,suo 厦:xia,sha 杉:shan,sha 扇:shan 汤:tang 裳:shang,chang 少:shao 召:zhao,shao
    舍:she 折:zhe,she 谁:shui,shei 什:shi,shen 莘:xin,shen 沈:shen,chen 省:sheng,xing
    胜:sheng 识:shi,zhi 食:shi 似:si,shi 熟:shu,shou 属:shu,zhu 数:shu,shuo 术:shu,zhu 说:shuo,yue
    朔:shuo 遂:sui 宿:su,xiu 缩:suo 台:tai 拓:tuo,ta 沓:ta,da 陶:tao,yao 提:ti 体:ti 挑:tiao
    帖:tie 童:tong 通:tong 同:tong 吐:tu 褪:tui,tun 驮:tuo,duo 瓦:wa 菀:wan,yu 万:wan 王:wang
    为:wei 圩:wei,xu 尾:wei,yi 委:wei 尉:wei,yu 蔚:wei,yu 隗:wei,kui 遗:yi,wei 文:wen 涡:wo,guo
    乌:wu 无:wu 吁:xu,yu 洗:xi,xian 郗:xi,chi 虾:xia,ha 吓:xia,he 夏:xia 鲜:xian 相:xiang
    肖:xiao 削:xiao,xue 筱:xiao 些:xie 邪:xie,ye 血:xue,xie 兴:xing 馨:xin 许:xu 旋:xuan
    郇:xun,huan 炅:jiong,gui 亚:ya 咽:yan,ye 殷:yin,yan 燕:yan 艳:yan 洋:yang 要:yao 钥:yao,yue
    叶:ye,xie 曳:ye 耶:ye 祎:yi 椅:yi 荫:yin 尹:yin 应:ying 佣:yong 熨:yun,yu 俞:yu 予:yu
    与:yu 育:yu 语:yu 雨:yu 芋:yu 员:yuan,yun 苑:yuan 约:yue 钺:yue 晕:yun 蕴:yun 匀:yun
    扎:za,zha 咋:za,zha 仔:zai,zi 载:zai 脏:zang 择:ze,zhai 轧:zha,ya 炸:zha 占:zhan 涨:zhang
    着:zhe,zhuo,zhao 珍:zhen 正:zheng 只:zhi 殖:zhi 中:zhong 轴:zhou 爪:zhao,zhua 著:zhu,zhuo
    转:zhuan 幢:chuang,zhuang 琢:zhuo,zuo 子:zi 综:zong 钻:zuan 柞:zuo,zha 作:zuo
    俟:si,qi 吕:lv 闾:lv 谌:chen,shen 能:neng,nai 甯:ning 弋:yi 荥:xing,ying 铫:yao,diao 鄱:po
    番:fan,pan 禺:yu 涌:yong,chong 蔡:cai 亳:bo 郫:pi 邛:qiong 岷:min 洱:er 焘:tao,dao 鹄:hu,gu
    琊:ya 泷:long,shuang 尕:ga 椹:shen,zhen 甚:shen 葚:shen,ren 亘:gen 珣:xun 玟:wen,min 珉:min
"""

READINGS: Final[Mapping[str, tuple[str, ...]]] = {
    character: tuple(written.split(","))
    for character, _, written in (entry.partition(":") for entry in _READINGS.split())
}
"""For each character its readings, without tones, ``v`` for the vowel of 女."""
