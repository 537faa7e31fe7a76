      * Nightly file of the civil registry: one header, one record for
      * each entry that changed, one trailer. RECFM=VB, EBCDIC.
       01  HEADER-MALAM.
           05  JENIS-REKAMAN        PIC X.
               88  REKAMAN-HEADER   VALUE 'H'.
           05  TANGGAL-BERKAS       PIC 9(8).
           05  NOMOR-BERKAS         PIC 9(5) COMP-3.
           05  PENGIRIM             PIC X(12).
       01  DATA-PENDUDUK.
           05  JENIS-REKAMAN        PIC X.
               88  REKAMAN-DATA     VALUE 'D'.
           05  NOMOR-REGISTER       PIC X(14).
           05  NIK                  PIC 9(16).
           05  NAMA                 PIC X(40).
           05  TANGGAL-LAHIR        PIC 9(8).
           05  JENIS-KELAMIN        PIC X.
               88  LAKI-LAKI        VALUE 'L'.
               88  PEREMPUAN        VALUE 'P'.
           05  KODE-WILAYAH         PIC 9(6).
           05  JENIS-MUTASI         PIC XX.
               88  LAHIR            VALUE 'LH'.
               88  MATI             VALUE 'MT'.
               88  PINDAH           VALUE 'PD'.
               88  DATANG           VALUE 'DT'.
           05  RETRIBUSI            PIC S9(9) COMP-3.
           05  FILLER               PIC X(3).
           05  JUMLAH-DOKUMEN       PIC 99.
           05  DOKUMEN OCCURS 0 TO 5 TIMES
                   DEPENDING ON JUMLAH-DOKUMEN.
               10  KODE-DOKUMEN     PIC X(4).
               10  TANGGAL-DOKUMEN  PIC 9(8).
       01  TRAILER-MALAM.
           05  JENIS-REKAMAN        PIC X.
               88  REKAMAN-TRAILER  VALUE 'T'.
           05  JUMLAH-REKAMAN       PIC 9(9) COMP-3.
           05  JUMLAH-RETRIBUSI     PIC S9(15) COMP-3.
           05  JUMLAH-NIK           PIC 9(10).
