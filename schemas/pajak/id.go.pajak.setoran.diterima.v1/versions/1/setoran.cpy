      * Payment file of a bank: header, payments, trailer. ASCII lines.
       01  HEADER-SETORAN.
           05  JENIS-REKAMAN        PIC X(2).
               88  REKAMAN-HEADER   VALUE '00'.
           05  KODE-BANK            PIC 9(3).
           05  TANGGAL-BERKAS       PIC 9(8).
           05  NOMOR-BERKAS         PIC 9(4).
       01  SETORAN.
           05  JENIS-REKAMAN        PIC X(2).
               88  REKAMAN-SETORAN  VALUE '10'.
           05  KODE-BILLING         PIC X(15).
           05  NTPN                 PIC X(16).
           05  NPWP                 PIC 9(16).
           05  KODE-AKUN            PIC 9(6).
           05  MASA-PAJAK           PIC 9(6).
           05  TANGGAL-BAYAR        PIC 9(8).
           05  JUMLAH-SETOR         PIC S9(13).
           05  NAMA-WP              PIC X(30).
       01  TRAILER-SETORAN.
           05  JENIS-REKAMAN        PIC X(2).
               88  REKAMAN-TRAILER  VALUE '99'.
           05  JUMLAH-REKAMAN       PIC 9(9).
           05  JUMLAH-TOTAL         PIC S9(17).
