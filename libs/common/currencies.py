"""How many decimals each currency of ISO 4217 has, also those that left the list: amounts in minor units mean nothing without.

Written here, not taken from a package: what is booked must not change its value when a package is upgraded. A currency that is
new in the package is added here, and a test names it; nothing is ever removed and no number ever changes.
"""

_DECIMALS = {
    0: """
BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF
""",
    2: """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY COP
COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR
JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN
NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL
THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG
""",
    3: """
BHD IQD JOD KWD LYD OMR TND
""",
    4: """
CLF UYW
""",
}
"""On the list of 2026."""

_WITHDRAWN_DECIMALS = {
    0: """
ADP BEF BYB BYR ESP GRD ITL LUF MGF PTE TPE TRL
""",
    2: """
AFA ALK ANG AOK AON AOR ARA ARP ARY ATS AYM AZM BAD BEC BEL BGJ BGK BGL BGN BOP BRB BRC BRE BRN BRR BUK CHC CSD CSJ
CSK CUC CYP DDM DEM ECS ECV EEK EQE ESA ESB FIM FRF GEK GHC GHP GNE GNS GQE GWE GWP HRD HRK IEP ILP ILR ISJ LAJ LSM
LTL LTT LUC LUL LVL LVR MAF MLF MRO MTL MTP MVQ MXP MZE MZM NIC NLG PEH PEI PES PLZ RHD ROK ROL RUR SDD SDP SIT SKK
SLL SRG STD SUR TJR TMM UAK UGS UGW UYN UYP VEB VEF VNC XEU YDD YUD YUM YUN ZAL ZMK ZRN ZRZ ZWC ZWD ZWL ZWN ZWR
""",
}
"""On the list of what was withdrawn (list three), with the decimals of its last years."""

EXPONENTS = {
    code: exponent
    for table in (_WITHDRAWN_DECIMALS, _DECIMALS)
    for exponent, codes in table.items()
    for code in codes.split()
}
"""Each code with its number of decimals."""
